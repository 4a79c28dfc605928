/**
 * Remembers up to where conversations are stored without a hole. Records are never taken away, so what was true stays true; what
 * is forgotten is looked up again.
 */
export class StoredUpTo {
  readonly #seqs = new Map<string, bigint>();
  readonly #conversations: number;

  /** Remembers that many conversations, those used last. */
  constructor(conversations: number) {
    this.#conversations = conversations;
  }

  /** 0 when nothing is known. */
  of(conversationId: string): bigint {
    return this.#seqs.get(conversationId) ?? 0n;
  }

  raise(conversationId: string, seq: bigint): void {
    const known = this.of(conversationId);
    this.#seqs.delete(conversationId);
    this.#seqs.set(conversationId, seq > known ? seq : known);
    if (this.#seqs.size <= this.#conversations) return;
    const [oldest] = this.#seqs.keys();
    if (oldest !== undefined) this.#seqs.delete(oldest);
  }
}
