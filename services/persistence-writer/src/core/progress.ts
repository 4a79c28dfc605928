/** How far behind a writer is, between two looks at it. */
export interface Backlog {
  /** Records of the log that are not stored: not handed out yet, or held by this process. */
  readonly behind: number;
  /** How long the oldest record that this process is storing has waited, in milliseconds; 0 for none. */
  readonly oldestMs: number;
  readonly storedPerSecond: number;
  /** How many came meanwhile. */
  readonly arrivedPerSecond: number;
}

/** What a writer remembers of its work. */
export class Progress {
  /** By lane: when the oldest record of the batch that is being stored came. */
  readonly #working = new Map<number, number>();
  #handled = 0;
  #last: { readonly atMs: number; readonly behind: number; readonly handled: number } | undefined;

  /** A lane stores a batch, perhaps again. */
  began(lane: number, oldestMs: number): void {
    this.#working.set(lane, oldestMs);
  }

  /** It is done with that many records. */
  ended(lane: number, records: number): void {
    this.#working.delete(lane);
    this.#handled += records;
  }

  /** Looks at it; `behind` includes what is held. Where several writers share the log, the rates are this one's share. */
  look(nowMs: number, behind: number): Backlog {
    const last = this.#last ?? { atMs: nowMs, behind, handled: this.#handled };
    const seconds = Math.max((nowMs - last.atMs) / 1000, 0.001);
    const stored = this.#handled - last.handled;
    this.#last = { atMs: nowMs, behind, handled: this.#handled };
    const oldest = Math.min(nowMs, ...this.#working.values());
    return {
      behind,
      oldestMs: nowMs - oldest,
      storedPerSecond: Math.round(stored / seconds),
      arrivedPerSecond: Math.max(0, Math.round((stored + behind - last.behind) / seconds)),
    };
  }
}
