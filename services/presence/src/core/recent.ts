/** What was learnt a moment ago, for at most so many keys and so long; with more, the oldest is forgotten. */
export class Recent<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly untilMs: number }>();
  readonly #limits: { readonly entries: number; readonly ms: number };
  readonly #now: () => number;

  constructor(limits: { readonly entries: number; readonly ms: number }, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get(key: string): { readonly value: V } | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > this.#now() ? entry : undefined;
  }

  set(key: string, value: V): void {
    const nowMs = this.#now();
    this.#entries.delete(key); // so that the first of the map is always the oldest
    this.#entries.set(key, { value, untilMs: nowMs + this.#limits.ms });
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size <= this.#limits.entries) return;
      this.#entries.delete(oldest);
    }
  }

  /** Up to so many keys that count, the oldest first. */
  keys(limit: number): string[] {
    const found: string[] = [];
    for (const [key, { untilMs }] of this.#entries) {
      if (found.length >= limit) return found;
      if (untilMs > this.#now()) found.push(key);
    }
    return found;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
