import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { packUuids, unpackUuids } from "../../src/packed-uuids.ts";

describe("packed UUIDs", () => {
  it("come back as they were, in order, 16 bytes each", () => {
    const ids = Array.from({ length: 1000 }, () => randomUUID());
    const packed = packUuids(ids);
    assert.equal(packed.length, 16_000);
    assert.deepEqual(unpackUuids(packed), ids);
    assert.deepEqual(unpackUuids(packUuids([])), []);
  });

  it("are read where they lie within other bytes", () => {
    const ids = [randomUUID(), randomUUID()];
    const within = new Uint8Array(40);
    within.set(packUuids(ids), 5);
    assert.deepEqual(unpackUuids(within.subarray(5, 37)), ids);
  });

  it("are nothing but whole UUIDs", () => {
    const id = randomUUID();
    for (const wrong of ["", "bob", `${id}0`, id.slice(0, -1), `${id.slice(0, -1)}x`, "-".repeat(36)]) {
      assert.throws(() => packUuids([id, wrong, id]), TypeError, wrong);
    }
    assert.throws(() => unpackUuids(packUuids([id]).subarray(1)), TypeError);
  });
});
