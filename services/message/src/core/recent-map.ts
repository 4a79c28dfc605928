/** A map that forgets what was not set for the longest time. */
export class RecentMap<V> {
  readonly #limit: number;
  readonly #values = new Map<string, V>();
  /**
   * Goes through the keys from the oldest on, each deleted as soon as it was given. One that began anew each time would have to step
   * over all those that were deleted since the map was last compacted, thousands of a large one.
   */
  readonly #oldest = this.#values.keys();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  /** The key becomes the newest. */
  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#limit) return;
    const { value: oldest } = this.#oldest.next();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}
