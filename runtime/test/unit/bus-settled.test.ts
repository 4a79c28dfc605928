import assert from "node:assert/strict";
import { Settled } from "../../src/bus-settled.ts";

describe("Settled", () => {
  it("knows the last ones, and forgets those before some time", () => {
    const settled = new Settled(10);
    for (let sequence = 1; sequence <= 1000; sequence++) {
      settled.add(sequence, sequence + 0.5);
      const knows = (each: number) => settled.has(each, each + 0.5);
      for (let each = Math.max(1, sequence - 9); each <= sequence; each++)
        assert.ok(knows(each), `${each} of ${sequence}`);
      assert.equal(sequence > 20 && knows(sequence - 20), false);
      assert.equal(knows(sequence + 1), false);
    }
  });

  it("tells a message from one with its sequence of another time", () => {
    const settled = new Settled(2);
    for (const sequence of [1, 2, 3]) settled.add(sequence, 7);
    assert.deepEqual([settled.has(1, 7), settled.has(1, 8), settled.has(3, 8)], [true, false, false]);
    settled.add(1, 8);
    assert.equal(settled.has(1, 8), true);
  });
});
