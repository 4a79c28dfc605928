import { setImmediate as macrotask } from "node:timers/promises";

/** A random number generator that always gives the same numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Lets the steps of many callers happen one at a time, in an order that only the seed decides. */
export class Scheduler {
  readonly #random: () => number;
  readonly #waiting: (() => void)[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly turn = (): Promise<void> => new Promise((resolve) => void this.#waiting.push(resolve));

  /** Runs until nobody waits for a turn any more. */
  async run(): Promise<void> {
    for (;;) {
      await macrotask();
      const [next] = this.#waiting.splice(Math.floor(this.#random() * this.#waiting.length), 1);
      if (next === undefined) return;
      next();
    }
  }
}
