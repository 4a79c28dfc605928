import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { PublicJwk } from "@oceanchat/runtime/token";

/** A record and where it lies in the stream. */
export interface PlacedRecord {
  readonly record: LogRecord;
  readonly streamSequence: number;
}

/** The head of a log. */
export interface Head {
  readonly seq: bigint;
  /** When its last record was accepted, in milliseconds since the epoch. */
  readonly lastTimeMs: number;
}

/** A conversation in a user's list. */
export interface ListedConversation {
  readonly conversationId: string;
  /** Last activity, in milliseconds since the epoch. */
  readonly lastTimeMs: number;
}

/** A place in a user's list: only what comes after it. */
export type ListPosition = ListedConversation;

/** What the message store holds; it may be behind the log by what the writer has not written yet. */
export interface RecordStore {
  /** Records from one seq to another, both included, in ascending order. */
  range(conversationId: string, fromSeq: bigint, toSeq: bigint): Promise<readonly PlacedRecord[]>;
  /** The stream sequence of the last stored record before a seq. */
  streamSequenceBefore(conversationId: string, seq: bigint): Promise<number | undefined>;
  heads(conversationIds: readonly string[]): Promise<ReadonlyMap<string, Head>>;
  /** A user's direct conversations, the latest activity first. */
  directConversations(
    userId: string,
    after: ListPosition | undefined,
    limit: number,
  ): Promise<readonly ListedConversation[]>;
  /** How many messages of others lie between two seqs, both included; counts to `limit` and no further. */
  countMessagesOfOthers(query: {
    readonly conversationId: string;
    readonly userId: string;
    readonly fromSeq: bigint;
    readonly toSeq: bigint;
    readonly limit: number;
  }): Promise<number>;
}

/** The log itself: always up to date, but only some days long. */
export interface RecordLog {
  /** The last record of a conversation; undefined when the log holds none any more. */
  last(conversationId: string): Promise<PlacedRecord | undefined>;
  /** Up to `limit` records of a conversation from a stream sequence on, in order. */
  from(conversationId: string, streamSequence: number, limit: number): Promise<readonly PlacedRecord[]>;
}

/** A stretch of a conversation that a user may read; `toSeq` is undefined while it goes on. */
export interface Interval {
  readonly fromSeq: bigint;
  readonly toSeq: bigint | undefined;
}

/** Other services. */
export interface QueryPeers {
  signingKeys(): Promise<readonly PublicJwk[]>;
  /** What a user may read of a group's conversation, ascending; empty for a stranger. */
  intervals(groupId: string, userId: string): Promise<readonly Interval[]>;
  /** The groups that a user is a member of, with the first record that he may read. */
  groupsOf(userId: string): Promise<readonly { readonly groupId: string; readonly fromSeq: bigint }[]>;
}
