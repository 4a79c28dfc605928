import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { isValidFor, selfSignedCertificate } from "@oceanchat/infra/certificate";
import { loadInfraConfig } from "@oceanchat/infra/config";
import { adapt } from "@oceanchat/infra/envoy";
import { isAtLeast } from "@oceanchat/infra/tools";

describe("loadInfraConfig", () => {
  it("tells every bad key at once", () => {
    const env = { OCEANCHAT_EDGE_PORT: "http", OCEANCHAT_TCP_PORT: "70000", OCEANCHAT_STORE: "slow" };
    assert.throws(
      () => loadInfraConfig(env),
      ({ message }: Error) => ["EDGE_PORT", "TCP_PORT", "STORE"].every((key) => message.includes(`OCEANCHAT_${key}=`)),
    );
  });

  it("hands on only what children need", () => {
    const { inherited } = loadInfraConfig({ PATH: "/bin", LC_ALL: "C", OCEANCHAT_X: "1", OTEL_Y: "2", SECRET: "3" });
    assert.deepEqual(inherited, { PATH: "/bin", LC_ALL: "C", OCEANCHAT_X: "1", OTEL_Y: "2" });
  });
});

describe("adapt", () => {
  it("replaces folder, ports and address, and nothing else", () => {
    const config = loadInfraConfig({});
    const ports = { plain: 1, tls: 2, tcp: 3, admin: 4 };
    const text = "a: /etc/envoy/x { address: 0.0.0.0, port_value: 8443 } { address: 10.0.0.1, port_value: 8081 } 8080";
    const expected = "a: /d/x { address: 127.0.0.1, port_value: 2 } { address: 10.0.0.1, port_value: 8081 } 8080";
    assert.equal(adapt(text, "/d", { config, ports }), expected);
  });
});

describe("isAtLeast", () => {
  it("compares numbers, not text", () => {
    assert.equal(isAtLeast("2.9", "2.12"), false);
    assert.equal(isAtLeast("2.12", "2.12"), true);
    assert.equal(isAtLeast("3.0", "2.12"), true);
  });
});

describe("selfSignedCertificate", () => {
  it("is signed by itself, for this machine's names, for the days asked", () => {
    const now = new Date("2026-11-23T00:00:00Z");
    for (let round = 0; round < 20; round++) {
      const { certificate } = selfSignedCertificate(397, now);
      const parsed = new X509Certificate(certificate);
      assert.ok(parsed.verify(parsed.publicKey));
      assert.equal(parsed.checkHost("localhost"), "localhost");
      assert.equal(parsed.checkIP("127.0.0.1"), "127.0.0.1");
      assert.equal(parsed.checkIP("::1"), "::1");
      assert.equal(isValidFor(certificate, 396, now), true);
      assert.equal(isValidFor(certificate, 398, now), false);
    }
  });
});
