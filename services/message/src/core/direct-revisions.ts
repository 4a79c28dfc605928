import type { Clock, DirectAnswer, PermissionPeers } from "../ports.ts";

/** What an answer of user depends on. */
export type DirectStamp = Pick<DirectAnswer, "slot" | "revision">;

/**
 * Whether remembered answers of user still hold: asked of user for all of them at once, instead of for each pair. What it says counts
 * for a moment from the asking, as an answer itself does.
 */
export class DirectRevisions {
  readonly #peers: Pick<PermissionPeers, "directRevisions">;
  readonly #clock: Clock;
  readonly #allowMs: number;
  #revisions: readonly number[] = [];
  #until = 0;
  #used = false;

  constructor(peers: Pick<PermissionPeers, "directRevisions">, clock: Clock, allowMs: number) {
    this.#peers = peers;
    this.#clock = clock;
    this.#allowMs = allowMs;
  }

  /** Until when an answer counts because it was confirmed, on the steady clock; 0 when it wasn't. */
  confirmedUntil({ slot, revision }: DirectStamp): number {
    if (revision === 0) return 0;
    this.#used = true;
    return this.#revisions[slot] === revision ? this.#until : 0;
  }

  /** Asks again, if anybody has needed it since; to be called more often than an answer counts, and never twice at once. */
  async confirm(): Promise<void> {
    if (!this.#used) return;
    this.#used = false;
    const until = this.#clock.steady() + this.#allowMs;
    this.#revisions = await this.#peers.directRevisions();
    this.#until = until;
  }
}
