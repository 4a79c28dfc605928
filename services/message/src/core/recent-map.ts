/**
 * A map of at most `limit` values that forgets what was not set for a long time, and never one of the last `limit / 2` keys that were
 * set. It keeps them in two halves and forgets the older one as a whole: deleting them one by one costs more than all the rest, since
 * a Map only marks what is deleted, and is copied when half of it is marks.
 */
export class RecentMap<V> {
  readonly #half: number;
  #recent = new Map<string, V>();
  #older = new Map<string, V>();

  constructor(limit: number) {
    this.#half = Math.ceil(limit / 2);
  }

  /** How many values it holds at most now. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  get(key: string): V | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  /** The key becomes the newest. */
  set(key: string, value: V): void {
    this.#recent.set(key, value);
    if (this.#recent.size < this.#half) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  delete(key: string): void {
    this.#recent.delete(key);
    this.#older.delete(key);
  }
}
