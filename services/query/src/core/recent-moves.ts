import { errors } from "../errors.ts";

/**
 * Which logs have moved lately, as a follower of the whole log tells it, until the store has them. When there are too many it
 * forgets all and says so, rather than be incomplete.
 */
export class RecentMoves {
  /** In the order of their last records. */
  readonly #moves = new Map<string, number>();
  /** The direct conversations among them, by user. */
  readonly #direct = new Map<string, Set<string>>();
  readonly #limit: number;
  #overflowed = false;
  #generation = 0;

  /** Remembers that many logs. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Since then what it knows is not enough, until it is cleared. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  /** Another one: everything that was known has been forgotten in between. */
  get generation(): number {
    return this.#generation;
  }

  get size(): number {
    return this.#moves.size;
  }

  /** A record was appended to a log. */
  note(logId: string, streamSequence: number): void {
    if (this.#overflowed) return;
    const known = this.#moves.get(logId);
    if (known !== undefined && known >= streamSequence) return;
    this.#moves.delete(logId);
    this.#moves.set(logId, streamSequence);
    if (known !== undefined) return;
    for (const userId of usersOf(logId)) {
      const conversations = this.#direct.get(userId) ?? new Set();
      this.#direct.set(userId, conversations.add(logId));
    }
    if (this.#moves.size <= this.#limit) return;
    this.clear();
    this.#overflowed = true;
  }

  /** The store has everything up to this stream sequence. Forgets so many at a time; true when there are more to forget. */
  forget(upTo: number, atMost: number): boolean {
    let left = atMost;
    for (const [logId, streamSequence] of this.#moves) {
      if (streamSequence > upTo) return false;
      if (left-- === 0) return true;
      this.#moves.delete(logId);
      for (const userId of usersOf(logId)) {
        const conversations = this.#direct.get(userId);
        conversations?.delete(logId);
        if (conversations?.size === 0) this.#direct.delete(userId);
      }
    }
    return false;
  }

  clear(): void {
    this.#moves.clear();
    this.#direct.clear();
    this.#generation++;
    this.#overflowed = false;
  }

  aheadOf(logIds: Iterable<string>): Map<string, number> {
    if (this.#overflowed) throw errors.storeTooFarBehind();
    const ahead = new Map<string, number>();
    for (const logId of logIds) {
      const streamSequence = this.#moves.get(logId);
      if (streamSequence !== undefined) ahead.set(logId, streamSequence);
    }
    return ahead;
  }

  directOf(userId: string): Map<string, number> {
    return this.aheadOf(this.#direct.get(userId) ?? []);
  }
}

/** Both users of a direct conversation; message has made its id, so it isn't read again. */
function usersOf(logId: string): readonly string[] {
  return logId.startsWith("d_") ? logId.slice(2).split("_") : [];
}
