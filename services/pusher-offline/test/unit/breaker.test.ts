import assert from "node:assert/strict";
import { type Admission, admit, type Breaker, CLOSED_BREAKER, failed, succeeded } from "../../src/breaker.ts";

const RULES = { failures: 3, openMs: 100, maxOpenMs: 350 };

describe("breaker", () => {
  const fail = (breaker: Breaker, nowMs: number, trial = false, afterMs?: number): Breaker =>
    failed(breaker, trial, nowMs, afterMs, RULES);
  const opened = (nowMs = 0): Breaker => fail(fail(fail(CLOSED_BREAKER, nowMs), nowMs), nowMs);

  /** The trial that is let through after the time is up. */
  function tried(breaker: Breaker, nowMs: number): Breaker {
    const admission = admit(breaker, nowMs);
    assert.ok(admission.admitted && admission.trial);
    return admission.next;
  }
  const waitOf = (admission: Admission): number => (admission.admitted ? 0 : admission.waitMs);

  it("lets everything through while it is closed", () => {
    assert.deepEqual(admit(CLOSED_BREAKER, 0), { admitted: true, trial: false, next: CLOSED_BREAKER });
  });

  it("opens after so many failures in a row, and says how long to wait", () => {
    assert.equal(fail(fail(CLOSED_BREAKER, 0), 0).state, "closed");
    assert.deepEqual(admit(opened(), 40), { admitted: false, waitMs: 60 });
  });

  it("counts anew after a success", () => {
    const twice = fail(fail(CLOSED_BREAKER, 0), 0);
    assert.equal(fail(fail(succeeded(twice, false), 0), 0).state, "closed");
  });

  it("lets one through on trial when the time is up, and no second one", () => {
    const onTrial = tried(opened(), 100);
    assert.equal(waitOf(admit(onTrial, 100)), 100);
  });

  it("closes when the trial goes well", () => {
    assert.deepEqual(succeeded(tried(opened(), 100), true), CLOSED_BREAKER);
  });

  it("stays open twice as long after each trial that fails, up to the longest time", () => {
    const second = fail(tried(opened(), 100), 100, true);
    assert.equal(waitOf(admit(second, 100)), 200);
    const third = fail(tried(second, 300), 300, true);
    assert.equal(waitOf(admit(third, 300)), 350);
    const fourth = fail(tried(third, 700), 700, true);
    assert.equal(waitOf(admit(fourth, 700)), 350);
  });

  it("ignores results of what was let through before it opened", () => {
    const breaker = opened();
    assert.equal(succeeded(breaker, false), breaker);
    assert.equal(fail(breaker, 50), breaker);
    const onTrial = tried(breaker, 100);
    assert.equal(succeeded(onTrial, false), onTrial);
    assert.equal(fail(onTrial, 120), onTrial);
  });

  it("opens at once, and as long as it is asked to, within the longest time", () => {
    assert.equal(waitOf(admit(fail(CLOSED_BREAKER, 0, false, 250), 0)), 250);
    assert.equal(waitOf(admit(fail(CLOSED_BREAKER, 0, false, 60_000), 0)), 350);
  });

  it("lets another one try when the one on trial never reports back", () => {
    const onTrial = tried(opened(), 100);
    assert.equal(tried(onTrial, 200).state, "half-open");
  });
});
