import type { Outgoing } from "./frames.ts";

/** What stands in for a packet on a connection that is too slow. */
export interface Hint {
  /** What it is about; empty when it must not be merged with others. */
  readonly key: string;
  /** Of two hints with one key the greater is the newer. */
  readonly order: bigint;
  readonly packet: Outgoing;
}

/** Keys that a connection may be owed hints of; one with more is better off with a new start. */
const MAX_KEYS = 1_024;

/** The hints that a slow connection gets once it has caught up: the newest of each key. */
export class OwedHints {
  /** When it began to be too slow. */
  readonly sinceMs: number;
  readonly #byKey = new Map<string, Hint>();

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  /** False when there are too many. */
  owe(hint: Hint): boolean {
    const { key, order } = hint;
    const known = this.#byKey.get(key);
    if (known === undefined && this.#byKey.size >= MAX_KEYS) return false;
    if (known === undefined || known.order < order) this.#byKey.set(key, hint);
    return true;
  }

  all(): Iterable<Hint> {
    return this.#byKey.values();
  }
}
