const EXAMPLES_PER_KIND = 5;
const KINDS = 50;

/** What went wrong, by kind, with the first examples of each. */
export interface ViolationSummary {
  readonly total: number;
  readonly kinds: readonly { readonly kind: string; readonly count: number; readonly examples: readonly string[] }[];
}

/** Counts what must not happen and keeps the first few of each kind. */
export class Violations {
  readonly #kinds = new Map<string, { count: number; readonly examples: string[] }>();
  #total = 0;

  add(kind: string, what: string): void {
    this.#total += 1;
    const known = this.#kinds.get(kind);
    const entry = known ?? { count: 0, examples: [] };
    if (known === undefined) {
      if (this.#kinds.size >= KINDS) return;
      this.#kinds.set(kind, entry);
    }
    entry.count += 1;
    if (entry.examples.length < EXAMPLES_PER_KIND) entry.examples.push(what);
  }

  /** Takes in what somebody else has found. */
  addAll({ kinds }: ViolationSummary): void {
    for (const { kind, count, examples } of kinds) {
      for (const example of examples) this.add(kind, example);
      const entry = this.#kinds.get(kind);
      const more = count - examples.length;
      if (entry !== undefined) entry.count += more;
      this.#total += more;
    }
  }

  summary(): ViolationSummary {
    return { total: this.#total, kinds: [...this.#kinds].map(([kind, entry]) => ({ kind, ...entry })) };
  }
}
