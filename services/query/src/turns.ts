import { shared } from "@oceanchat/runtime/fail";

/** How many calls are carried out at once, and how long others wait. */
export interface TurnRules {
  /** Calls carried out at the same time. */
  readonly atOnce: number;
  /** While calls are carried out, others begin together, so many milliseconds apart: what they ask for is asked for together then. */
  readonly apartMs: number;
  /** Calls that wait. */
  readonly maxWaiting: number;
  /** How long a call waits for its turn, in milliseconds; one that would have to wait longer is refused at once. */
  readonly maxWaitMs: number;
  /** Milliseconds that only go on. */
  readonly now: () => number;
  /** Calls back after some milliseconds. */
  readonly after: (ms: number, run: () => void) => void;
}

interface Waiting {
  readonly since: number;
  readonly begin: () => void;
  readonly refuse: (error: Error) => void;
}

/** The longest that a refused call is told to stay away, in milliseconds. */
const MAX_AWAY_MS = 10_000;
const MIN_AWAY_MS = 500;
/** How much the last call counts in the mean of what one takes. */
const WEIGHT = 0.05;

/**
 * Lets so many calls through at once, the others in turns: one of each user, then the next of each. When more come than can be carried
 * out they are refused while that is still cheap, each told to come back when its turn would be: so they come as fast as they can be
 * served, and none waits until its caller has given it up.
 */
export class Turns {
  readonly #rules: TurnRules;
  /** By user, the one whose turn is next first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingCount = 0;
  #running = 0;
  /** When some began last, and whether the next are about to. */
  #beganAt = Number.NEGATIVE_INFINITY;
  #isSet = false;
  /** What a call takes, in milliseconds, in the mean of the last ones. */
  #takesMs = 0;
  /** Up to when turns were promised to calls that were refused. */
  #promisedUntil = 0;

  constructor(rules: TurnRules) {
    this.#rules = rules;
  }

  /** Carries a call out when it is its turn. Rejects with OVERLOADED when that would take too long. */
  async run<T>(userId: string, call: () => Promise<T>): Promise<T> {
    const turn = this.#turn(userId);
    if (turn !== undefined) await turn;
    const begun = this.#rules.now();
    try {
      return await call();
    } finally {
      this.#takesMs += (this.#rules.now() - begun - this.#takesMs) * WEIGHT;
      this.#running--;
      this.#soon();
    }
  }

  get waiting(): number {
    return this.#waitingCount;
  }

  #turn(userId: string): Promise<void> | undefined {
    const { maxWaiting, maxWaitMs, now } = this.#rules;
    if (this.#running === 0 && this.#waitingCount === 0) {
      this.#running++;
      this.#beganAt = now();
      return undefined;
    }
    if (this.#waitingCount >= maxWaiting || this.#waitMs > maxWaitMs) throw this.#overloaded();
    return new Promise((begin, refuse) => {
      const own = this.#waiting.get(userId) ?? [];
      own.push({ since: now(), begin, refuse });
      this.#waiting.set(userId, own);
      this.#waitingCount++;
      this.#soon();
    });
  }

  #soon(): void {
    const { atOnce, apartMs, now, after } = this.#rules;
    if (this.#isSet || this.#waitingCount === 0 || this.#running >= atOnce) return;
    this.#isSet = true;
    after(Math.max(0, this.#beganAt + apartMs - now()), () => {
      this.#isSet = false;
      this.#beganAt = now();
      this.#next();
    });
  }

  /** Passes the turn on; who has waited too long is refused. */
  #next(): void {
    const { atOnce, maxWaitMs, now } = this.#rules;
    while (this.#running < atOnce) {
      const first = this.#take();
      if (first === undefined) return;
      if (now() - first.since > maxWaitMs) first.refuse(this.#overloaded());
      else {
        this.#running++;
        first.begin();
      }
    }
  }

  #take(): Waiting | undefined {
    for (const [userId, own] of this.#waiting) {
      const first = own.shift();
      this.#waiting.delete(userId);
      if (own.length > 0) this.#waiting.set(userId, own);
      this.#waitingCount--;
      return first;
    }
    return undefined;
  }

  /** How long the next one would wait. */
  get #waitMs(): number {
    return (this.#waitingCount * this.#takesMs) / this.#rules.atOnce;
  }

  #overloaded() {
    const now = this.#rules.now();
    const each = this.#takesMs / this.#rules.atOnce;
    const turn = Math.max(now + this.#waitMs, this.#promisedUntil) + each;
    this.#promisedUntil = Math.min(turn, now + MAX_AWAY_MS);
    const awayMs = Math.round(Math.max(MIN_AWAY_MS, this.#promisedUntil - now));
    return shared.overloaded("more devices ask what they have missed than can be answered", awayMs);
  }
}
