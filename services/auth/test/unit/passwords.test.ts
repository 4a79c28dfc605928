import assert from "node:assert/strict";
import type { Argon2Parameters } from "node:crypto";
import { refused } from "@oceanchat/runtime/testing";
import { createPasswordHasher } from "../../src/passwords.ts";

/** Counts what is computed, and computes something cheap. */
function counting() {
  const calls: Argon2Parameters[] = [];
  const compute = async (parameters: Argon2Parameters) => {
    calls.push(parameters);
    return Buffer.alloc(parameters.tagLength, String(parameters.message));
  };
  return { calls, compute };
}

describe("passwords", () => {
  it("hashes with argon2id, 19 MiB, two passes, a new salt each time", async () => {
    const hasher = createPasswordHasher(2);
    const [one, other] = await Promise.all([hasher.hash("correct horse"), hasher.hash("correct horse")]);
    assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.notEqual(one, other);
    assert.equal(await hasher.verify("correct horse", one), "right");
    assert.equal(await hasher.verify("correct horsE", one), "wrong");
  });

  it("verifies what the reference implementation hashed", async () => {
    const stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert.equal(await createPasswordHasher(1).verify("password", stored), "outdated");
  });

  it("takes a password however its accents are composed", async () => {
    const hasher = createPasswordHasher(1);
    assert.equal(await hasher.verify("cafe\u0301 au lait", await hasher.hash("caf\u00e9 au lait")), "right");
  });

  it("computes as much for an unknown user as for a known one", async () => {
    const { calls, compute } = counting();
    const hasher = createPasswordHasher(1, compute);
    const stored = await hasher.hash("correct horse");
    assert.equal(await hasher.verify("wrong", stored), "wrong");
    assert.equal(await hasher.verify("wrong", undefined), "wrong");
    const [, known, unknown] = calls.map(({ memory, passes, parallelism, tagLength, nonce }) => ({
      memory,
      passes,
      parallelism,
      tagLength,
      saltBytes: Buffer.from(nonce as Uint8Array).length,
    }));
    assert.deepEqual(unknown, known);
  });

  it("calls hashes of other parameters outdated", async () => {
    const { compute } = counting();
    const hasher = createPasswordHasher(1, compute);
    const stored = (await hasher.hash("correct horse")).replace("t=2", "t=1");
    assert.equal(await hasher.verify("correct horse", stored), "outdated");
  });

  it("runs so many at once, lets as many wait, refuses the rest", async () => {
    const gates: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const hasher = createPasswordHasher(2, async ({ tagLength }) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => gates.push(resolve));
      running--;
      return Buffer.alloc(tagLength);
    });
    const accepted = Array.from({ length: 4 }, () => hasher.hash("correct horse"));
    await refused(hasher.hash("correct horse"), "OVERLOADED");
    for (let opened = 0; opened < 4; ) {
      const gate = gates.shift();
      if (gate !== undefined) opened++;
      gate?.();
      await new Promise(setImmediate);
    }
    await Promise.all(accepted);
    assert.equal(most, 2);
    const again = hasher.hash("correct horse");
    await new Promise(setImmediate);
    gates.shift()?.();
    await again;
  });

  it("frees the place of one that failed", async () => {
    let fail = true;
    const hasher = createPasswordHasher(1, async ({ tagLength }) => {
      if (fail) throw new Error("out of memory");
      return Buffer.alloc(tagLength);
    });
    await assert.rejects(hasher.hash("correct horse"), /out of memory/);
    fail = false;
    await hasher.hash("correct horse");
  });
});
