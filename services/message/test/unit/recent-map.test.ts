import assert from "node:assert/strict";
import { RecentMap } from "../../src/core/recent-map.ts";

describe("what is remembered of late", () => {
  it("forgets what was not set for the longest time", () => {
    const map = new RecentMap<number>(3);
    for (const [index, key] of ["a", "b", "c", "a", "d"].entries()) map.set(key, index);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => map.get(key)),
      [3, undefined, 2, 4],
    );
  });

  it("goes on forgetting the oldest while keys are set again and deleted", () => {
    const map = new RecentMap<number>(50);
    const model: [string, number][] = [];
    for (let n = 0; n < 20_000; n++) {
      // Often the same keys again, now and then one deleted or all gone.
      const key = `k${(n * 7919) % (n % 3 === 0 ? 40 : 400)}`;
      const known = model.findIndex(([name]) => name === key);
      if (known >= 0) model.splice(known, 1);
      if (n % 11 === 0) map.delete(key);
      else {
        map.set(key, n);
        model.push([key, n]);
      }
      if (model.length > 50) model.shift();
      if (n % 3_000 === 0) for (const [name] of model.splice(0)) map.delete(name);
      assert.equal(map.size, model.length);
    }
    assert.equal(model.length, 50);
    for (const [key, value] of model) assert.equal(map.get(key), value);
  });

  it("takes no longer for each when it is large and full", () => {
    const timed = (limit: number): number => {
      const map = new RecentMap<number>(limit);
      for (let n = 0; n < 2 * limit; n++) map.set(`k${n}`, n);
      const before = process.cpuUsage();
      for (let n = 0; n < 30_000; n++) map.set(`l${n}`, n);
      return process.cpuUsage(before).user;
    };
    timed(100);
    const [small, large] = [timed(100), timed(20_000)];
    assert.ok(large < 20 * small, `${small} and ${large} µs`);
  });
});
