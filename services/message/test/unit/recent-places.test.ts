import assert from "node:assert/strict";
import { RecentPlaces } from "../../src/core/recent-places.ts";

const LIMIT = 50;

describe("places of logs that are remembered of late", () => {
  it("are never more than the limit, nor one of the last half of it forgotten", () => {
    const places = new RecentPlaces<string>(LIMIT);
    const logOf = (n: number) => `log ${n % 7}`;
    for (let n = 0; n < 1_000; n++) {
      places.set(logOf(n), BigInt(n), `${n}`);
      for (let m = Math.max(0, n - LIMIT / 2 + 1); m <= n; m++) assert.equal(places.get(logOf(m), BigInt(m)), `${m}`);
      assert.equal(places.get(logOf(n + 1), BigInt(n)), undefined);
    }
    const held = Array.from({ length: 1_000 }, (_, n) => places.get(logOf(n), BigInt(n))).filter((value) => value);
    assert.ok(held.length <= LIMIT, `${held.length}`);
  });
});
