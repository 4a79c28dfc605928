import assert from "node:assert/strict";
import { RecentMap } from "@oceanchat/runtime/recent-map";

const LIMIT = 50;

describe("what is remembered of late", () => {
  it("is never more than the limit, nor one of the last half of it forgotten", () => {
    const map = new RecentMap<number>(LIMIT);
    /** From the oldest to the newest. */
    const model = new Map<string, number>();
    const everything = new Map<string, number>();
    for (let n = 0; n < 20_000; n++) {
      // Often the same keys again, now and then one deleted.
      const key = `k${(n * 7919) % (n % 3 === 0 ? 40 : 400)}`;
      model.delete(key);
      everything.delete(key);
      if (n % 11 === 0) map.delete(key);
      else {
        map.set(key, n);
        model.set(key, n);
        everything.set(key, n);
      }
      for (const oldest of model.keys()) {
        if (model.size <= LIMIT / 2) break;
        model.delete(oldest);
      }
      for (const [known, value] of model) assert.equal(map.get(known), value);
      assert.equal(map.get(key), everything.get(key));
      if (n % 100 === 0) {
        const held = [...everything].filter(([known, value]) => {
          const found = map.get(known);
          assert.ok(found === undefined || found === value);
          return found !== undefined;
        });
        assert.ok(held.length <= LIMIT && map.size <= LIMIT, `${held.length}`);
      }
    }
  });

  it("holds on to what is used, however much else comes", () => {
    const map = new RecentMap<number>(LIMIT);
    map.set("used", 1);
    map.set("only looked at", 2);
    for (let n = 0; n < 10 * LIMIT; n++) {
      map.set(`k${n}`, n);
      assert.equal(map.use("used"), 1);
      map.get("only looked at");
    }
    assert.equal(map.get("only looked at"), undefined);
    assert.equal(map.use("never there"), undefined);
    assert.ok(map.size <= LIMIT);
  });

  it("takes no longer for each when it is large and full", () => {
    const timed = (limit: number): number => {
      const map = new RecentMap<number>(limit);
      for (let n = 0; n < 2 * limit; n++) map.set(`k${n}`, n);
      const before = process.cpuUsage();
      for (let n = 0; n < 30_000; n++) map.set(`l${n}`, n);
      // Only the sum is measured: the kernel guesses what of it was the user's, for so short a time often nothing.
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const best = (limit: number) => Math.min(...[1, 2, 3, 4, 5].map(() => timed(limit)));
    const [small, large] = [best(100), best(20_000)];
    assert.ok(large < 20 * small, `${small} and ${large} µs`);
  });
});
