import type { DeadLetter } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";

/** A record as one place has it: the store, the archive or the stream. */
export interface Entry {
  readonly seq: bigint;
  /** The whole `Record`, encoded. */
  readonly bytes: Uint8Array;
  /** Where the record lies in the stream, as this place says. */
  readonly streamSequence: bigint;
  /** The key that the store keeps it under; undefined elsewhere. */
  readonly key?: string;
}

/** Hears of what is damaged and therefore left out. */
export type Note = (problem: string) => void;

/** Where records are read. */
export interface Tier {
  /** The records of a log from one seq to another, both included, in the order in which they lie there; page by page. */
  range(logId: string, from: bigint, to: bigint, note: Note): AsyncIterable<Entry>;
  /** The last seq that it has of the log; 0 for none. */
  lastSeq(logId: string): Promise<bigint>;
}

/** What the store says a log's end is. */
export interface Head {
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
  /** The `Record` there, encoded. */
  readonly lastRecord: Uint8Array;
}

export interface RecordStore extends Tier {
  head(logId: string): Promise<Head | undefined>;
  /** Ids of logs that have a head, in order, after the given one. */
  logIds(after: string, limit: number): Promise<readonly string[]>;
}

export interface LogStream extends Tier {
  /** Up to where persistence-writer has acknowledged everything; 0 when it never ran. */
  writtenUpTo(): Promise<bigint>;
  /** The records of a log that lie behind a stream sequence. */
  behind(logId: string, streamSequence: bigint, note: Note): AsyncIterable<Entry>;
  /** Calls `moved` whenever records of the log have come, and once at the beginning. Returns the function that ends it. */
  follow(logId: string, moved: () => void): () => Promise<void>;
}

/** The three places in which a log's records are. */
export interface Tiers {
  readonly store: RecordStore;
  readonly archive: Tier;
  readonly stream: LogStream;
}

/** Where a command writes. */
export interface Output {
  /** One line for people, or one JSON value for machines. */
  line(text: string, json: unknown): void;
  /** One line for people, on the error stream; machines don't get it. */
  remark(text: string): void;
}

/** A letter and where it lies in the stream DEAD. */
export interface PlacedLetter {
  readonly sequence: bigint;
  /** Undefined for a message that is no letter. */
  readonly letter: DeadLetter | undefined;
}

export interface DeadLetters {
  /** The letters from a sequence on, of one stream or of all, in order; page by page. */
  from(sequence: bigint, stream: string | undefined): AsyncIterable<PlacedLetter>;
  at(sequence: bigint): Promise<PlacedLetter | undefined>;
  /** Whether somebody takes back what that consumer has given up. */
  isTaken(stream: string, consumer: string): Promise<boolean>;
  /** Gives a letter back to its consumer; false when that was done in the last two minutes. */
  giveBack(sequence: bigint, letter: DeadLetter): Promise<boolean>;
}
