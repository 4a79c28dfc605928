/** When a breaker opens and for how long. */
export interface BreakerRules {
  /** Failures in a row that open it. Default 5. */
  readonly failures: number;
  /** How long it stays open the first time, in milliseconds; twice as long after each failed trial. Default 1000. */
  readonly openMs: number;
  /** The longest time it stays open, in milliseconds. Default 60000. */
  readonly maxOpenMs: number;
}

/** The rules that are used where none are given. */
export const BREAKER_RULES: BreakerRules = { failures: 5, openMs: 1_000, maxOpenMs: 60_000 };

/** A breaker's state; it is never changed, the functions below return the next one. */
export type Breaker =
  | { readonly state: "closed"; readonly failures: number }
  | { readonly state: "open"; readonly untilMs: number; readonly openMs: number }
  /** One call is on trial; if it never reports back, another may try after `untilMs`. */
  | { readonly state: "half-open"; readonly untilMs: number; readonly openMs: number };

/** Everything passes. */
export const CLOSED_BREAKER: Breaker = { state: "closed", failures: 0 };

/** Leave to make a call, with the state that it was given in; or how long to wait before asking again. */
export type Admission =
  | { readonly admitted: true; readonly trial: boolean; readonly next: Breaker }
  | { readonly admitted: false; readonly waitMs: number };

/** Whether a call may be made now. Whoever gets leave stores `next` and reports the result with the same `trial`. */
export function admit(breaker: Breaker, nowMs: number): Admission {
  if (breaker.state === "closed") return { admitted: true, trial: false, next: breaker };
  if (nowMs < breaker.untilMs) return { admitted: false, waitMs: breaker.untilMs - nowMs };
  const { openMs } = breaker;
  return { admitted: true, trial: true, next: { state: "half-open", untilMs: nowMs + openMs, openMs } };
}

/** The state after a call that went well. What was admitted before it opened proves nothing while it is open. */
export function succeeded(breaker: Breaker, trial: boolean): Breaker {
  return breaker.state === "closed" || trial ? CLOSED_BREAKER : breaker;
}

/**
 * The state after a call that failed through the other side's fault. `afterMs` is what the other side asked for, if it did:
 * then it opens at once, and for at least that long (but never longer than `maxOpenMs`).
 */
export function failed(
  breaker: Breaker,
  trial: boolean,
  nowMs: number,
  afterMs: number | undefined,
  rules: BreakerRules = BREAKER_RULES,
): Breaker {
  if (breaker.state === "closed") {
    const failures = breaker.failures + 1;
    if (failures < rules.failures && afterMs === undefined) return { state: "closed", failures };
    return open(nowMs, rules.openMs, afterMs, rules);
  }
  return trial ? open(nowMs, breaker.openMs * 2, afterMs, rules) : breaker;
}

function open(nowMs: number, wantedMs: number, afterMs: number | undefined, rules: BreakerRules): Breaker {
  const openMs = Math.min(wantedMs, rules.maxOpenMs);
  const waitMs = Math.min(Math.max(openMs, afterMs ?? 0), rules.maxOpenMs);
  return { state: "open", untilMs: nowMs + waitMs, openMs };
}
