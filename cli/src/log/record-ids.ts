import { RecentMap } from "@oceanchat/runtime/recent-map";

/** Remembers under which seq record ids came, the last ones only: a log has more than fit in memory. */
export class RecordIds {
  readonly #seqs: RecentMap<bigint>;

  /** At least that many of the last ones, at most twice as many. */
  constructor(limit = 100_000) {
    this.#seqs = new RecentMap(2 * limit);
  }

  /** The other seq that has this id; undefined when none has. */
  add(recordId: string, seq: bigint): bigint | undefined {
    const other = this.#seqs.get(recordId);
    if (other !== undefined) return other === seq ? undefined : other;
    this.#seqs.set(recordId, seq);
    return undefined;
  }
}
