import assert from "node:assert/strict";
import { Pace } from "@oceanchat/runtime/bus-pace";

/** A pace of which is noted when it wants to ask. */
function paceOf(gatherMs: number, threshold = 100) {
  const asked = { times: 0, promise: Promise.resolve() };
  let resolve = () => {};
  const next = () => {
    const waiting = Promise.withResolvers<void>();
    resolve = waiting.resolve;
    return waiting.promise;
  };
  const pace = new Pace({
    gatherMs: () => gatherMs,
    threshold,
    ask: () => {
      asked.times++;
      resolve();
    },
  });
  return { pace, asked, next };
}

describe("Pace", () => {
  it("asks at once in the beginning, and then again after a while", async () => {
    const { pace, asked, next } = paceOf(20);
    assert.equal(pace.allows(500), true);
    pace.answered(false);
    const since = performance.now();
    const wanted = next();
    assert.equal(pace.allows(500), false);
    assert.equal(pace.allows(500), false);
    await wanted;
    assert.ok(performance.now() - since >= 19);
    assert.equal(asked.times, 1, "one timer");
    assert.equal(pace.allows(500), true);
  });

  it("asks at once for more where there was as much as was asked for, once there is room", () => {
    const { pace } = paceOf(60_000);
    assert.equal(pace.allows(500), true);
    pace.answered(true);
    assert.equal(pace.allows(99), false);
    assert.equal(pace.allows(100), true);
    pace.answered(false);
    assert.equal(pace.allows(500), false);
    pace.stop();
  });

  it("asks at once when somebody waits", () => {
    const { pace, asked } = paceOf(60_000);
    assert.equal(pace.allows(500), true);
    pace.answered(false);
    assert.equal(pace.allows(500), false);
    pace.hurry();
    assert.equal(asked.times, 1);
    assert.equal(pace.allows(500), true);
  });

  it("never waits where nothing is to be gathered", () => {
    const { pace } = paceOf(0);
    for (let times = 0; times < 3; times++) {
      assert.equal(pace.allows(1), true);
      pace.answered(false);
    }
  });
});
