/** Remembers under which seq record ids came, the last ones only: a log has more than fit in memory. */
export class RecordIds {
  readonly #seqs = new Map<string, bigint>();
  readonly #limit: number;

  constructor(limit = 100_000) {
    this.#limit = limit;
  }

  /** The other seq that has this id; undefined when none has. */
  add(recordId: string, seq: bigint): bigint | undefined {
    const other = this.#seqs.get(recordId);
    if (other !== undefined) return other === seq ? undefined : other;
    if (this.#seqs.size >= this.#limit) {
      const [oldest] = this.#seqs.keys();
      if (oldest !== undefined) this.#seqs.delete(oldest);
    }
    this.#seqs.set(recordId, seq);
    return undefined;
  }
}
