import assert from "node:assert/strict";
import { Breaker, type Outcome } from "../../src/core/breaker.ts";

describe("Breaker", () => {
  const make = () => new Breaker({ failures: 3, openMs: 1_000 });
  const call = (breaker: Breaker, outcome: Outcome, nowMs: number) => {
    const entry = breaker.enter(nowMs);
    if (entry.waitMs === 0) breaker.leave(entry, outcome, nowMs);
    return entry.waitMs;
  };
  const open = (nowMs: number) => {
    const breaker = make();
    for (let i = 0; i < 3; i++) call(breaker, "lost", nowMs);
    return breaker;
  };

  it("opens after so many failures in a row", () => {
    const breaker = make();
    call(breaker, "lost", 0);
    call(breaker, "lost", 0);
    assert.equal(call(breaker, "lost", 0), 0);
    assert.equal(call(breaker, "reached", 400), 600);
  });

  it("counts failures in a row only", () => {
    const breaker = make();
    for (let i = 0; i < 10; i++) {
      call(breaker, "lost", i);
      call(breaker, "lost", i);
      assert.equal(call(breaker, "reached", i), 0);
    }
  });

  it("takes a call that never left for neither", () => {
    const breaker = make();
    call(breaker, "lost", 0);
    call(breaker, "lost", 0);
    call(breaker, "neither", 0);
    call(breaker, "lost", 0);
    assert.equal(call(breaker, "lost", 0), 1_000);
  });

  it("lets one call try when the time is over, and closes when it is answered", () => {
    const breaker = open(0);
    const probe = breaker.enter(1_000);
    assert.deepEqual(probe, { waitMs: 0, probe: true });
    assert.equal(breaker.enter(1_000).waitMs, 1_000);
    breaker.leave(probe, "reached", 1_500);
    assert.equal(call(breaker, "lost", 1_500), 0);
    assert.equal(call(breaker, "reached", 1_500), 0);
  });

  it("stays open when the one call fails too", () => {
    const breaker = open(0);
    assert.equal(call(breaker, "lost", 1_000), 0);
    assert.equal(call(breaker, "reached", 1_999), 1);
    assert.equal(call(breaker, "reached", 2_000), 0);
  });

  it("lets another call try when the one never left", () => {
    const breaker = open(0);
    assert.equal(call(breaker, "neither", 1_000), 0);
    assert.equal(breaker.enter(1_000).probe, true);
  });

  it("closes on a late answer to an earlier call", () => {
    const breaker = make();
    const early = breaker.enter(0);
    for (let i = 0; i < 3; i++) call(breaker, "lost", 0);
    breaker.leave(early, "reached", 100);
    assert.equal(breaker.enter(100).waitMs, 0);
  });

  it("isn't kept open by earlier calls that fail late", () => {
    const breaker = make();
    const early = breaker.enter(0);
    for (let i = 0; i < 3; i++) call(breaker, "lost", 0);
    breaker.leave(early, "lost", 900);
    assert.equal(breaker.enter(1_000).probe, true);
  });

  it("opens again after a while when the clock is set back", () => {
    const breaker = open(3_600_000);
    assert.equal(breaker.enter(0).waitMs, 0);
  });
});
