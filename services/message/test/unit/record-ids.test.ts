import assert from "node:assert/strict";
import { validate, version } from "uuid";
import { openRecordIds } from "../../src/record-ids.ts";

describe("ids of records", () => {
  it("are UUIDv7s of now, all different, however many", () => {
    const newId = openRecordIds();
    const before = Date.now();
    const ids = Array.from({ length: 10_000 }, newId);
    const after = Date.now();
    assert.equal(new Set(ids).size, ids.length);
    // Not only the time differs: the last 62 bits are random.
    assert.equal(new Set(ids.map((id) => id.slice(19))).size, ids.length);
    for (const id of ids) {
      assert.ok(validate(id) && version(id) === 7, id);
      const ms = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
      assert.ok(ms >= before && ms <= after, id);
    }
  });
});
