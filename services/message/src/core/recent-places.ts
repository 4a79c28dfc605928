type Places<V> = Map<string, Map<bigint, V>>;

/**
 * Like RecentMap of the runtime, for what has a place in a log: at most `limit` values, and always those of the last `limit / 2` places that were
 * set. Without a key for each place that would have to be made, hashed and kept.
 */
export class RecentPlaces<V> {
  readonly #half: number;
  #recent: Places<V> = new Map();
  #older: Places<V> = new Map();
  #count = 0;

  constructor(limit: number) {
    this.#half = Math.ceil(limit / 2);
  }

  get(logId: string, seq: bigint): V | undefined {
    return this.#recent.get(logId)?.get(seq) ?? this.#older.get(logId)?.get(seq);
  }

  set(logId: string, seq: bigint, value: V): void {
    const places = this.#recent.get(logId);
    if (places === undefined) this.#recent.set(logId, new Map([[seq, value]]));
    else places.set(seq, value);
    if (++this.#count < this.#half) return;
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#count = 0;
  }
}
