/** How fast one user may send. */
export interface Rate {
  /** In the long run. */
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
}

/** Silent users that are forgotten with each packet; more than one, so that the map shrinks while others send. */
const FORGET_AT_ONCE = 2;

/**
 * A token bucket per user in one number: the time at which the bucket will be full again. A full bucket is the same as none, so
 * only users who have sent within the time that filling takes are remembered.
 */
export class Limiter {
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #maxUsers: number;
  /** In the order of the users' last packets. */
  readonly #fullAt = new Map<string, number>();

  constructor(rate: Rate, maxUsers: number) {
    this.#intervalMs = 1000 / rate.perSecond;
    this.#burstMs = this.#intervalMs * rate.burst;
    this.#maxUsers = maxUsers;
  }

  /** Takes one packet: 0 when it may pass, otherwise in how many milliseconds one may. */
  take(userId: string, nowMs: number): number {
    this.#forget(nowMs);
    let fullAt = this.#fullAt.get(userId) ?? nowMs;
    // Later than a bucket can ever be full: the clock was set back.
    if (fullAt < nowMs || fullAt > nowMs + this.#burstMs) fullAt = nowMs;
    const next = fullAt + this.#intervalMs;
    const waitMs = next - nowMs - this.#burstMs;
    // Not a millisecond's fraction is lost to rounding when the caller waits as long as told.
    if (waitMs > 1e-6) return Math.ceil(waitMs);
    this.#fullAt.delete(userId);
    if (this.#fullAt.size >= this.#maxUsers) this.#forgetOldest();
    this.#fullAt.set(userId, next);
    return 0;
  }

  /** Users that are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  #forget(nowMs: number): void {
    let left = FORGET_AT_ONCE;
    for (const [userId, fullAt] of this.#fullAt) {
      if (fullAt > nowMs || left-- === 0) return;
      this.#fullAt.delete(userId);
    }
  }

  #forgetOldest(): void {
    for (const userId of this.#fullAt.keys()) {
      this.#fullAt.delete(userId);
      return;
    }
  }
}
