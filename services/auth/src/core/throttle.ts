import { shared } from "@oceanchat/runtime/fail";

interface Bucket {
  tokens: number;
  updatedMs: number;
}

/** Usernames and addresses that are remembered; the one untouched for longest is forgotten first. */
const REMEMBERED = 100_000;
const MINUTE_MS = 60_000;

/**
 * Slows down guessing: token buckets per username and address together, per username, and per address. Nobody is locked
 * out for good, and an attacker elsewhere slows the owner only beyond five times the limit.
 */
export class LoginThrottle {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perMinute: number, now: () => number) {
    this.#perMinute = perMinute;
    this.#now = now;
  }

  /** Counts a try as failed, until the returned function says otherwise. Throws RATE_LIMITED when there were too many. */
  admit(username: string, address: string): () => void {
    const nowMs = this.#now();
    const taken = [
      this.#bucket(`b ${username} ${address}`, this.#perMinute, nowMs),
      this.#bucket(`u ${username}`, 5 * this.#perMinute, nowMs),
      this.#bucket(`a ${address}`, 30 * this.#perMinute, nowMs),
    ];
    const waitMs = Math.max(...taken.map(({ bucket, capacity }) => ((1 - bucket.tokens) * MINUTE_MS) / capacity));
    if (waitMs > 0) throw shared.rateLimited(Math.ceil(waitMs));
    for (const { bucket } of taken) bucket.tokens -= 1;
    return () => {
      for (const { bucket, capacity } of taken) bucket.tokens = Math.min(capacity, bucket.tokens + 1);
    };
  }

  #bucket(key: string, capacity: number, nowMs: number): { bucket: Bucket; capacity: number } {
    const bucket = this.#buckets.get(key) ?? { tokens: capacity, updatedMs: nowMs };
    const refill = (Math.max(0, nowMs - bucket.updatedMs) * capacity) / MINUTE_MS;
    bucket.tokens = Math.min(capacity, bucket.tokens + refill);
    bucket.updatedMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > REMEMBERED) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return { bucket, capacity };
  }
}
