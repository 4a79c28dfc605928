import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:tls";
import { makeCertificate } from "../certificate.ts";
import { listenOn } from "../listening.ts";

describe("makeCertificate", () => {
  it("makes a certificate that signs itself and names every host", () => {
    const certificate = new X509Certificate(makeCertificate(["localhost", "fcm.googleapis.com", "127.0.0.1"]).cert);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(certificate.subjectAltName, "DNS:localhost, DNS:fcm.googleapis.com, IP Address:127.0.0.1");
    assert.equal(certificate.ca, true);
    assert.ok(certificate.validToDate.getTime() > Date.now() + 3000 * 86_400_000);
  });

  it("is trusted by a client that has it as its authority, and by no other", async () => {
    const { key, cert } = makeCertificate(["localhost"]);
    const server = createServer({ key, cert });
    server.on("tlsClientError", () => undefined); // the second client below turns away
    const listening = await listenOn(server, 0);
    try {
      const trusting = connect({ port: listening.port, host: "localhost", ca: cert });
      await once(trusting, "secureConnect");
      assert.ok(trusting.authorized);
      trusting.destroy();
      const strict = connect({ port: listening.port, host: "localhost", ca: makeCertificate(["localhost"]).cert });
      await assert.rejects(once(strict, "secureConnect"), /certificate/);
    } finally {
      await listening.close();
    }
  });
});
