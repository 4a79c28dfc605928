/**
 * Remembers under which seq record ids came, the last ones only: a log has more than fit in memory. In two halves, of which the older is
 * forgotten as a whole: a Map only marks what is deleted, and looks for its oldest key behind all the marks.
 */
export class RecordIds {
  readonly #limit: number;
  #recent = new Map<string, bigint>();
  #older = new Map<string, bigint>();

  /** At least that many of the last ones, at most twice as many. */
  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  /** The other seq that has this id; undefined when none has. */
  add(recordId: string, seq: bigint): bigint | undefined {
    const other = this.#recent.get(recordId) ?? this.#older.get(recordId);
    if (other !== undefined) return other === seq ? undefined : other;
    this.#recent.set(recordId, seq);
    if (this.#recent.size >= this.#limit) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    return undefined;
  }
}
