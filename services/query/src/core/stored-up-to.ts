import { RecentMap } from "@oceanchat/runtime/recent-map";

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
  readonly #places: RecentMap<StoredPlace>;

  /** Remembers that many conversations at most, those raised last; never fewer than half of them. */
  constructor(conversations: number) {
    this.#places = new RecentMap(conversations);
  }

  /** Seq 0 when nothing is known. */
  of(conversationId: string): StoredPlace {
    return this.#places.get(conversationId) ?? NOWHERE;
  }

  raise(conversationId: string, place: StoredPlace): void {
    const known = this.of(conversationId);
    this.#places.set(conversationId, place.seq > known.seq ? place : known);
  }
}
