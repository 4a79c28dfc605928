/**
 * A map of at most `limit` values that forgets what was not set for a long time, and never one of the last `limit / 2` keys that were
 * set or used. It keeps them in two halves and forgets the older one as a whole: deleting them one by one costs more than all the rest, since
 * a Map only marks what is deleted, and is copied when half of it is marks.
 */
export class RecentMap<V, K = string> {
  readonly #half: number;
  #recent = new Map<K, V>();
  #older = new Map<K, V>();

  constructor(limit: number) {
    this.#half = Math.ceil(limit / 2);
  }

  /** How many values it holds at most now. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  get(key: K): V | undefined {
    return this.#recent.get(key) ?? this.#older.get(key);
  }

  /** As `get`; the key becomes one of the newest. */
  use(key: K): V | undefined {
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  /** The key becomes the newest. */
  set(key: K, value: V): void {
    this.#recent.set(key, value);
    if (this.#recent.size < this.#half) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  delete(key: K): void {
    this.#recent.delete(key);
    this.#older.delete(key);
  }
}
