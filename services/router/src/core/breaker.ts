export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open before one call may try, in milliseconds. */
  readonly openMs: number;
}

/** What a call said about its target; `neither` for one that never left. */
export type Outcome = "reached" | "lost" | "neither";

/** Whether a call may go out: only if there is nothing to wait for. */
export interface Entry {
  readonly waitMs: number;
  /** Whether this call decides if the target is back. */
  readonly probe: boolean;
}

const PASS: Entry = { waitMs: 0, probe: false };
const PROBE: Entry = { waitMs: 0, probe: true };

/** Leaves a service that doesn't answer alone for a while, so that its clients hear at once instead of waiting for timeouts. */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  /** Undefined while closed. */
  #openUntilMs: number | undefined;
  #probing = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Asks for one call. Whoever may pass owes a `leave`. */
  enter(nowMs: number): Entry {
    if (this.#openUntilMs === undefined) return PASS;
    const waitMs = this.#openUntilMs - nowMs;
    // Longer than it can be: the clock was set back.
    const over = waitMs <= 0 || waitMs > this.#options.openMs;
    if (!over) return { waitMs, probe: false };
    if (this.#probing) return { waitMs: this.#options.openMs, probe: false };
    this.#probing = true;
    return PROBE;
  }

  /** Says what became of a call. One from before the opening that is answered late shows too that the target lives. */
  leave(entry: Entry, outcome: Outcome, nowMs: number): void {
    if (entry.probe) this.#probing = false;
    if (outcome === "neither") return;
    if (outcome === "reached") {
      this.#failures = 0;
      this.#openUntilMs = undefined;
      return;
    }
    this.#failures++;
    const opens = this.#openUntilMs === undefined && this.#failures >= this.#options.failures;
    if (opens || entry.probe) this.#openUntilMs = nowMs + this.#options.openMs;
  }
}
