/**
 * The messages that were settled last, by sequence and time in the stream: at least `limit` of them, at most twice as many. Kept in two
 * parts, of which the older is forgotten as a whole: deleting one by one costs more than all the rest of settling, since a Map only
 * marks what is deleted and looks for its oldest key behind all the marks.
 */
export class Settled {
  readonly #limit: number;
  #recent = new Map<number, number>();
  #older = new Map<number, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(sequence: number, nanos: number): void {
    this.#recent.set(sequence, nanos);
    if (this.#recent.size < this.#limit) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  /** Whether it was this very message: a stream that was made again gives its sequences to others. */
  has(sequence: number, nanos: number): boolean {
    return (this.#recent.get(sequence) ?? this.#older.get(sequence)) === nanos;
  }
}
