import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { type StoredKey, signingKeysFromPem, signingKeysFromStore } from "../../src/signing-keys.ts";

const NOW = 1_700_000_000_000;

function ecPem(namedCurve = "P-256") {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  return {
    pkcs8: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    sec1: privateKey.export({ format: "pem", type: "sec1" }).toString(),
    spki: publicKey.export({ format: "pem", type: "spki" }).toString(),
  };
}

/** Two instances on one store. */
function memoryKeys() {
  const stored = new Map<number, StoredKey>();
  return {
    stored,
    signingKeys: async () => [...stored.values()],
    addSigningKey: async (key: StoredKey) => !stored.has(key.slot) && stored.set(key.slot, key) !== undefined,
  };
}

describe("signing keys", () => {
  it("from a file: the first signs, all are published", () => {
    const [old, current] = [ecPem(), ecPem()];
    const { kid, published } = signingKeysFromPem(`${current.pkcs8}\n${old.spki}`);
    assert.equal(published.length, 2);
    assert.equal(published[0]?.kid, kid);
    assert.deepEqual(published[1], signingKeysFromPem(old.sec1).published[0]);
    assert.deepEqual(Object.keys(published[0] ?? {}).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
  });

  it("from a file: refuses what can't sign", () => {
    assert.throws(() => signingKeysFromPem("nothing"), /holds no key/);
    assert.throws(() => signingKeysFromPem(ecPem().spki), /first key must be a private key/);
    assert.throws(() => signingKeysFromPem(ecPem("P-384").pkcs8), /P-256/);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    assert.throws(() => signingKeysFromPem(privateKey.export({ format: "pem", type: "pkcs8" }).toString()), /P-256/);
  });

  it("from the store: two instances that start at once agree, also when their clocks do not", async () => {
    const store = memoryKeys();
    const later = NOW + 60_000;
    const [one, other] = await Promise.all([signingKeysFromStore(store, later), signingKeysFromStore(store, NOW)]);
    assert.equal(one.kid, other.kid);
    assert.deepEqual(one.refreshSecret, other.refreshSecret);
    assert.equal(store.stored.size, 1);
    assert.equal((await signingKeysFromStore(store, NOW + 1)).kid, one.kid);
  });

  it("from the store: a successor is published before it signs", async () => {
    const store = memoryKeys();
    const first = await signingKeysFromStore(store, NOW);
    const next = memoryKeys();
    await signingKeysFromStore(next, NOW);
    const [successor] = await next.signingKeys();
    assert.ok(successor !== undefined);
    await store.addSigningKey({ ...successor, slot: 2, signFrom: new Date(NOW + 300_000) });
    const before = await signingKeysFromStore(store, NOW + 299_999);
    assert.equal(before.kid, first.kid);
    assert.equal(before.published.length, 2);
    assert.equal((await signingKeysFromStore(store, NOW + 300_000)).kid, successor.kid);
  });
});
