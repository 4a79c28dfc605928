import type { Journal, RevisionStore } from "../ports.ts";
import { SLOTS, slotOf } from "./slots.ts";

/** After how long without a reading the revisions are read again when they are needed, in milliseconds. */
const FRESH_MS = 1_000;
/**
 * A change that has been open for so long isn't under way any more: whoever made it has died, or wasn't answered. In milliseconds;
 * far more than any write can take.
 */
const ABANDONED_MS = 600_000;

/** What an answer depends on: it holds as long as the slot's revision is this. 0: it can't be confirmed. */
export interface Stamp {
  readonly slot: number;
  readonly revision: number;
}

/**
 * Tells whoever remembers who may write to whom whether it still holds. A change is counted before it is written, so an answer that
 * was read under the revision that is there now is true now; while a change is open its slot has no revision. One who writes to
 * another depends on the other's slot alone: what concerns two users is a change of both.
 */
export class DirectRevisions {
  readonly #store: RevisionStore;
  readonly #journal: Journal;
  /** Milliseconds that never jump. */
  readonly #steady: () => number;
  /** As they were read last; older ones do no harm, for what was read since then is only confirmed less. */
  #last: readonly number[] = [];
  #askedAt = Number.NEGATIVE_INFINITY;
  /** Since when changes have been seen open. */
  #openSince: ReadonlyMap<string, number> = new Map();

  constructor(store: RevisionStore, journal: Journal, steady: () => number) {
    this.#store = store;
    this.#journal = journal;
    this.#steady = steady;
  }

  /** What an answer depends on that is read from now on. */
  stampOf(recipientId: string): Stamp {
    // Without it answers are asked for again after a second. Whoever reads the store for the answer itself hears that it is away.
    if (this.#steady() - this.#askedAt > FRESH_MS) this.read().catch(() => undefined);
    const slot = slotOf(recipientId);
    return { slot, revision: this.#last[slot] ?? 0 };
  }

  /** By slot, as they are after the call. */
  async read(): Promise<readonly number[]> {
    this.#askedAt = this.#steady();
    const { counts, open } = await this.#store.read();
    const changing = new Set([...open.values()].flat());
    this.#last = Array.from({ length: SLOTS }, (_, slot) => (changing.has(slot) ? 0 : (counts.get(slot) ?? 0) + 1));
    this.#endAbandoned([...open.keys()]);
    return this.#last;
  }

  /** Writes what changes who may write to these users. One that fails may have happened: it stays open. */
  async changing<T>(userIds: readonly string[], write: () => Promise<T>): Promise<T> {
    const change = await this.#store.begin([...new Set(userIds.map(slotOf))]);
    const written = await write();
    await this.#end(change);
    return written;
  }

  #endAbandoned(open: readonly string[]): void {
    const now = this.#steady();
    this.#openSince = new Map(open.map((change) => [change, this.#openSince.get(change) ?? now]));
    for (const [change, since] of this.#openSince) if (now - since > ABANDONED_MS) void this.#end(change);
  }

  /** Never rejects: what was written counts. */
  async #end(change: string): Promise<void> {
    try {
      await this.#store.end(change);
    } catch (error) {
      this.#journal.changeStaysOpen(error);
    }
  }
}
