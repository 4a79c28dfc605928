import assert from "node:assert/strict";
import { Limiter } from "../../src/core/limiter.ts";

describe("Limiter", () => {
  const rate = { perSecond: 100, burst: 200 };
  const takeMany = (limiter: Limiter, count: number, nowMs: number, userId = "a") => {
    let passed = 0;
    for (let i = 0; i < count; i++) if (limiter.take(userId, nowMs) === 0) passed++;
    return passed;
  };

  it("lets a burst pass at once and no more", () => {
    assert.equal(takeMany(new Limiter(rate, 10), 500, 1_000), 200);
  });

  it("lets the rate pass in the long run", () => {
    const limiter = new Limiter(rate, 10);
    let passed = 0;
    for (let now = 0; now < 10_000; now += 2) passed += takeMany(limiter, 1, now);
    assert.ok(passed >= 1_190 && passed <= 1_201, `${passed}`);
  });

  it("says how long to wait, and keeps its word", () => {
    const limiter = new Limiter(rate, 10);
    takeMany(limiter, 200, 5_000);
    const waitMs = limiter.take("a", 5_000);
    assert.equal(waitMs, 10);
    assert.notEqual(limiter.take("a", 5_000 + waitMs - 1), 0);
    assert.equal(limiter.take("a", 5_000 + waitMs), 0);
  });

  it("keeps its word for rates that don't divide a second", () => {
    const limiter = new Limiter({ perSecond: 3, burst: 7 }, 10);
    let now = 1_700_000_000_000;
    for (let i = 0; i < 1_000; i++) {
      const waitMs = limiter.take("a", now);
      if (waitMs === 0) continue;
      now += waitMs;
      assert.equal(limiter.take("a", now), 0);
    }
  });

  it("counts each user alone", () => {
    const limiter = new Limiter(rate, 10);
    takeMany(limiter, 500, 0, "a");
    assert.equal(takeMany(limiter, 500, 0, "b"), 200);
  });

  it("forgets users whose bucket is full again", () => {
    const limiter = new Limiter(rate, 1_000);
    for (let i = 0; i < 500; i++) limiter.take(`user ${i}`, 0);
    assert.equal(limiter.size, 500);
    for (let i = 0; i < 500; i++) limiter.take("busy", 1_000 + i * 10);
    assert.equal(limiter.size, 1);
  });

  it("never remembers more users than it may, and drops the longest silent one first", () => {
    const limiter = new Limiter(rate, 3);
    takeMany(limiter, 200, 0, "a");
    takeMany(limiter, 200, 0, "b");
    takeMany(limiter, 200, 0, "c");
    limiter.take("d", 1);
    assert.equal(limiter.size, 3);
    assert.notEqual(limiter.take("b", 1), 0);
    assert.equal(limiter.take("a", 1), 0);
  });

  it("doesn't shut anybody out when the clock is set back", () => {
    const limiter = new Limiter(rate, 10);
    takeMany(limiter, 200, 3_600_000);
    assert.equal(limiter.take("a", 0), 0);
  });
});
