/** How first packets wait while many connect. */
export interface NewcomerRules {
  /** Connections whose first packets are under way at the same time. */
  readonly atOnce: number;
  /** How long first packets wait for others to connect, in milliseconds; in all twice as long at most. 0: not at all. */
  readonly maxWaitMs: number;
  /** Whether this process has had no time to spare lately. */
  readonly isBusy: () => boolean;
  /** Milliseconds; never goes back. */
  readonly now: () => number;
  /** Calls back after some milliseconds. */
  readonly after: (ms: number, run: () => void) => void;
}

/** With more connections than this on their way to `hello`, or welcomed in the last second, many connect. */
const FEW = 32;
const LATELY_MS = 1_000;
/** How often is looked who may go on. Those who go on together are cheaper: what they ask for is asked for together. */
const LOOK_MS = 250;
/** So many go on each time while many connect: a rate that costs connections little, and at which nobody waits for long. */
const FEW_AT_ONCE = 8;

/**
 * Lets connections pass before the first packets of those that are there. When a gateway has gone thousands connect at once, and each
 * asks what it has missed, which costs as much as connecting does: who connects last would wait for most of these answers. So first
 * packets stay where they are for a while, in order. Connections that have been answered once are never held up.
 */
export class Newcomers {
  readonly #rules: NewcomerRules;
  readonly #line = new Set<Newcomer>();
  #connecting = 0;
  #welcomedLately = 0;
  /** Those whose first packets are under way. */
  #passing = 0;
  #isLooking = false;

  constructor(rules: NewcomerRules) {
    this.#rules = rules;
  }

  /** Connections whose first packets wait. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Somebody connects. `pass` is called when its packets may go, once `mayPass` has said that they may not yet. */
  come(pass: () => void): Newcomer {
    this.#connecting++;
    return new Newcomer(this, pass);
  }

  /** It has been welcomed, or has gone before that. */
  connected(): void {
    this.#connecting--;
    this.#welcomedLately++;
    this.#rules.after(LATELY_MS, () => {
      this.#welcomedLately--;
    });
  }

  /** Whether the packets of this one may go now; if not, it waits in the line. */
  enter(newcomer: Newcomer): boolean {
    const { atOnce, maxWaitMs, now } = this.#rules;
    if (maxWaitMs === 0 || (this.#line.size === 0 && this.#passing < atOnce && !this.#isStorm)) {
      this.#passing++;
      return true;
    }
    newcomer.sinceMs = now();
    this.#line.add(newcomer);
    this.#lookSoon();
    return false;
  }

  /** Its first packet is answered, or it has gone. */
  leave(newcomer: Newcomer): void {
    if (this.#line.delete(newcomer)) return;
    this.#passing--;
    if (this.#line.size > 0 && !this.#isStorm) this.#look(this.#rules.atOnce);
  }

  get #isStorm(): boolean {
    return this.#connecting > FEW || (this.#welcomedLately > FEW && this.#rules.isBusy());
  }

  #lookSoon(): void {
    if (this.#isLooking || this.#line.size === 0) return;
    this.#isLooking = true;
    this.#rules.after(LOOK_MS, () => {
      this.#isLooking = false;
      this.#look(this.#isStorm ? FEW_AT_ONCE : this.#rules.atOnce);
      this.#lookSoon();
    });
  }

  /** Lets so many go on at once, with those who have waited long enough as many as ever, and with those who have waited too long all. */
  #look(most: number): void {
    const { atOnce, maxWaitMs, now } = this.#rules;
    const nowMs = now();
    for (const newcomer of this.#line) {
      const waitedMs = nowMs - newcomer.sinceMs;
      const limit = waitedMs >= maxWaitMs ? atOnce : most;
      if (this.#passing >= limit && waitedMs < 2 * maxWaitMs) return;
      this.#line.delete(newcomer);
      this.#passing++;
      newcomer.passes();
    }
  }
}

/** A connection until its first packet is answered. */
export class Newcomer {
  /** Since when it waits in the line. */
  sinceMs = 0;
  readonly #newcomers: Newcomers;
  readonly #pass: () => void;
  #isConnecting = true;
  #state: "silent" | "waiting" | "passing" | "gone" = "silent";

  constructor(newcomers: Newcomers, pass: () => void) {
    this.#newcomers = newcomers;
    this.#pass = pass;
  }

  /** Hello has been said. */
  welcomed(): void {
    if (!this.#isConnecting) return;
    this.#isConnecting = false;
    this.#newcomers.connected();
  }

  /** Whether its packets may go; asked when there are some. */
  mayPass(): boolean {
    if (this.#state === "silent") this.#state = this.#newcomers.enter(this) ? "passing" : "waiting";
    return this.#state === "passing";
  }

  /** It is its turn, or it has waited long enough. */
  passes(): void {
    this.#state = "passing";
    this.#pass();
  }

  /** Its first packet is answered, or it has gone. */
  leave(): void {
    this.welcomed();
    const entered = this.#state === "waiting" || this.#state === "passing";
    this.#state = "gone";
    if (entered) this.#newcomers.leave(this);
  }
}
