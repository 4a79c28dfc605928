import assert from "node:assert/strict";
import { Schedule } from "../../src/schedule.ts";

function takeAll(schedule: Schedule, now: number): number[] {
  const taken: number[] = [];
  for (let next = schedule.take(now); next !== undefined; next = schedule.take(now)) taken.push(next);
  return taken;
}

describe("the schedule of an open loop", () => {
  it("spreads the messages evenly over the time", () => {
    const schedule = new Schedule(1000, 4, 2);
    assert.equal(schedule.count, 8);
    assert.deepEqual(takeAll(schedule, Number.POSITIVE_INFINITY), [1000, 1250, 1500, 1750, 2000, 2250, 2500, 2750]);
    assert.equal(schedule.wait(0), undefined);
  });

  it("has as many messages as the rate says, whatever time it is when it begins", () => {
    // Added in floating point, 100 ms at this time are a little less.
    const start = 8_191.900000002;
    const end = start + 100;
    assert.ok(end - start < 100);
    assert.equal(new Schedule(start, 100, (end - start) / 1000).count, 10);
    assert.equal(new Schedule(0, 4, 0.74).count, 2);
  });

  it("hands out nothing before its time", () => {
    const schedule = new Schedule(1000, 200, 1);
    assert.equal(schedule.take(999.9), undefined);
    assert.equal(schedule.wait(998), 2);
    assert.equal(schedule.take(1000), 1000);
    assert.equal(schedule.take(1000), undefined);
    assert.equal(schedule.wait(1001), 4);
  });

  it("keeps the intended times of what leaves late, after however long a stall", () => {
    const schedule = new Schedule(0, 100, 10);
    assert.deepEqual(takeAll(schedule, 20), [0, 10, 20]);
    const late = takeAll(schedule, 520);
    assert.equal(late.length, 50, "all that the stall held up");
    assert.deepEqual(late.slice(0, 2), [30, 40]);
    assert.equal(late.at(-1), 520);
    assert.equal(schedule.wait(520), 10, "and then as before");
  });

  it("does not drift at a rate that no millisecond divides", () => {
    const schedule = new Schedule(0, 3000, 100);
    const taken = takeAll(schedule, Number.POSITIVE_INFINITY);
    assert.equal(taken.length, 300_000);
    assert.equal(taken[150_000], 50_000);
  });
});
