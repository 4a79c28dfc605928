/**
 * When the messages of an open loop are meant to go out. It depends on nothing that happens: a message that leaves late, because the
 * generator or the system was busy, is timed from when it was meant to leave. So a stall counts for every message that it held up.
 */
export class Schedule {
  readonly #start: number;
  readonly #intervalMs: number;
  /** How many messages there are. */
  readonly count: number;
  #next = 0;

  constructor(startMs: number, perSecond: number, seconds: number) {
    this.#start = startMs;
    this.#intervalMs = 1000 / perSecond;
    // Times are sums of fractions: 100 ms may be 99.99999999999, which is no message less.
    this.count = Math.floor(perSecond * seconds + 1e-6);
  }

  /** When the n-th message, from 0, is meant to leave. Computed, not summed up: errors do not add. */
  intended(n: number): number {
    return this.#start + n * this.#intervalMs;
  }

  /** The intended time of the next message, if it is due. */
  take(now: number): number | undefined {
    if (this.#next >= this.count) return undefined;
    const intended = this.intended(this.#next);
    if (intended > now) return undefined;
    this.#next += 1;
    return intended;
  }

  /** Milliseconds until the next message; undefined after the last. */
  wait(now: number): number | undefined {
    return this.#next >= this.count ? undefined : Math.max(0, this.intended(this.#next) - now);
  }
}
