/** A record of a log that is stored, with all before it. */
export interface StoredPlace {
  readonly seq: bigint;
  /** Where it lies in the stream, or before. */
  readonly streamSequence: number;
}

const NOWHERE: StoredPlace = { seq: 0n, streamSequence: 0 };

/**
 * Remembers up to where conversations are stored without a hole. Records are never taken away, so what was true stays true; what
 * is forgotten is looked up again.
 */
export class StoredUpTo {
  readonly #places = new Map<string, StoredPlace>();
  readonly #conversations: number;

  /** Remembers that many conversations, those used last. */
  constructor(conversations: number) {
    this.#conversations = conversations;
  }

  /** Seq 0 when nothing is known. */
  of(conversationId: string): StoredPlace {
    return this.#places.get(conversationId) ?? NOWHERE;
  }

  raise(conversationId: string, place: StoredPlace): void {
    const known = this.of(conversationId);
    this.#places.delete(conversationId);
    this.#places.set(conversationId, place.seq > known.seq ? place : known);
    if (this.#places.size <= this.#conversations) return;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined) this.#places.delete(oldest);
  }
}
