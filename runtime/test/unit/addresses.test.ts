import assert from "node:assert/strict";
import { type AddressSource, openAddresses, parseAddresses } from "@oceanchat/runtime/addresses";
import { silentLog } from "@oceanchat/runtime/testing";

const dns: AddressSource = { kind: "dns", name: "router", port: 9000 };

describe("parseAddresses", () => {
  it("reads a fixed list, without repeats", () => {
    assert.deepEqual(parseAddresses("a:1, b-c.local:65535,[::1]:3,a:1"), {
      kind: "static",
      addresses: ["a:1", "b-c.local:65535", "[::1]:3"],
    });
  });

  it("reads a name to resolve", () => {
    assert.deepEqual(parseAddresses("dns:router.oceanchat.svc:9000"), {
      kind: "dns",
      name: "router.oceanchat.svc",
      port: 9000,
    });
  });

  for (const text of ["", "a", "a:", "a:0", "a:65536", ":1", "a:1,", "dns:a", "http://a:1", "::1:3"]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseAddresses(text), TypeError));
  }
});

describe("openAddresses", () => {
  it("answers the same array for a fixed list", async () => {
    const addresses = await openAddresses(parseAddresses("a:1,b:2"), silentLog);
    assert.deepEqual(addresses.current(), ["a:1", "b:2"]);
    assert.equal(addresses.current(), addresses.current());
  });

  it("follows a name, keeps the last good answer and notices nothing when only the order changes", async () => {
    const answers: (readonly string[] | Error)[] = [
      ["10.0.0.2", "10.0.0.1"],
      ["10.0.0.1", "10.0.0.2"],
      new Error("SERVFAIL"),
      [],
      ["10.0.0.3", "fd00::1"],
    ];
    const seen: (readonly string[])[] = [];
    await new Promise<void>((done) => {
      const following = openAddresses(dns, silentLog, {
        intervalMs: 1,
        resolve: async () => {
          if (seen.length > 0 || answers.length < 5) seen.push((await following).current());
          const answer = answers.shift();
          if (answer instanceof Error) throw answer;
          if (answer !== undefined) return answer;
          (await following).close();
          done();
          return [];
        },
      });
    });
    assert.deepEqual(seen[0], ["10.0.0.1:9000", "10.0.0.2:9000"]);
    assert.equal(seen[1], seen[0], "another order is no change");
    assert.equal(seen[2], seen[0], "a failure keeps what was known");
    assert.equal(seen[3], seen[0], "an empty answer keeps what was known");
    assert.deepEqual(seen[4], ["10.0.0.3:9000", "[fd00::1]:9000"]);
  });

  it("starts without addresses when the first look-up fails", async () => {
    const addresses = await openAddresses(dns, silentLog, {
      resolve: () => Promise.reject(new Error("no such name")),
    });
    assert.deepEqual(addresses.current(), []);
    addresses.close();
  });
});
