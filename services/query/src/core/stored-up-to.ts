/** A record of a log that is stored, with all before it. */
export interface StoredPlace {
  readonly seq: bigint;
  /** Where it lies in the stream, or before. */
  readonly streamSequence: number;
}

const NOWHERE: StoredPlace = { seq: 0n, streamSequence: 0 };

/**
 * Remembers up to where conversations are stored without a hole. Records are never taken away, so what was true stays true; what
 * is forgotten is looked up again. Kept in two halves, of which the older is forgotten as a whole: a Map only marks what is deleted, and
 * looks for its oldest key behind all the marks.
 */
export class StoredUpTo {
  readonly #half: number;
  #recent = new Map<string, StoredPlace>();
  #older = new Map<string, StoredPlace>();

  /** Remembers that many conversations at most, those raised last; never fewer than half of them. */
  constructor(conversations: number) {
    this.#half = Math.ceil(conversations / 2);
  }

  /** Seq 0 when nothing is known. */
  of(conversationId: string): StoredPlace {
    return this.#recent.get(conversationId) ?? this.#older.get(conversationId) ?? NOWHERE;
  }

  raise(conversationId: string, place: StoredPlace): void {
    const known = this.of(conversationId);
    this.#recent.set(conversationId, place.seq > known.seq ? place : known);
    if (this.#recent.size < this.#half) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }
}
