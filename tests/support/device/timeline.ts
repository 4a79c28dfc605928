/** A record, as far as a device looks at it. */
export interface Seen {
  readonly seq: number;
  readonly recordId: string;
}

/** What a device has of one conversation: everything up to a seq, and what is ahead of a gap. */
export class Timeline {
  /** Applied, in order. */
  readonly records: Seen[] = [];
  /** What came again and was dropped. */
  repeated = 0;
  /** What can't be if the server is right: two records in one place. */
  readonly contradictions: string[] = [];
  readonly #ahead = new Map<number, Seen>();
  /** The seq up to which everything is there; undefined until it is known where the conversation begins for this user. */
  #upTo: number | undefined;

  /** The highest seq up to which everything is there; 0 when it is not known. */
  get upTo(): number {
    return this.#upTo ?? 0;
  }

  /** Whether there is something behind a gap. */
  get hasGap(): boolean {
    return this.#ahead.size > 0;
  }

  /** The conversation begins here for this user; what was said before isn't his. */
  beginAt(seq: number): void {
    if (this.#upTo !== undefined) return;
    this.#upTo = seq - 1;
    this.#close();
  }

  /** Applies the next record, drops what is there, holds back what is ahead. */
  take(record: Seen): void {
    const there = this.#ahead.get(record.seq) ?? this.#applied(record.seq);
    if (there !== undefined) {
      this.repeated++;
      if (there.recordId !== record.recordId) {
        this.contradictions.push(`${record.seq}: ${there.recordId} and ${record.recordId}`);
      }
      return;
    }
    this.#ahead.set(record.seq, record);
    this.#close();
  }

  #applied(seq: number): Seen | undefined {
    const first = this.records[0];
    return first === undefined ? undefined : this.records[seq - first.seq];
  }

  #close(): void {
    if (this.#upTo === undefined) return;
    for (let next = this.#ahead.get(this.#upTo + 1); next !== undefined; next = this.#ahead.get(this.#upTo + 1)) {
      this.#ahead.delete(next.seq);
      this.records.push(next);
      this.#upTo = next.seq;
    }
  }
}
