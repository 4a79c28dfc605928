import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Content } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { PublicJwk } from "@oceanchat/runtime/token";
import type { SearchIndex } from "./ports/search.ts";

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

/** A head as the store knows it. */
export interface StoredHead extends Head {
  /** Where its record lies in the stream. */
  readonly streamSequence: number;
  /** Its record; undefined when an older writer wrote the head: then what follows isn't known either. */
  readonly lastRecord: LogRecord | undefined;
  /** The highest seq of a message that was recalled; 0 for none. */
  readonly lastRecalledSeq: bigint;
  /** The highest seq of a message that mentions everybody; 0 for none. */
  readonly lastMentionAllSeq: bigint;
  /** Up to where its records may be in the archive alone; 0 for none. */
  readonly archivedSeq: bigint;
}

/** A user's settings for a conversation. */
export interface Settings {
  readonly pinned: boolean;
  /** In milliseconds since the epoch; 0 for not at all. */
  readonly mutedUntilMs: number;
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
export interface RecordStore extends SearchIndex {
  /** Records from one seq to another, both included, in ascending order. */
  range(conversationId: string, fromSeq: bigint, toSeq: bigint): Promise<readonly PlacedRecord[]>;
  /** The stream sequence of the last stored record before a seq. */
  streamSequenceBefore(conversationId: string, seq: bigint): Promise<number | undefined>;
  heads(conversationIds: readonly string[]): Promise<ReadonlyMap<string, StoredHead>>;
  /** When something last happened in these conversations, in milliseconds since the epoch. */
  lastTimesOf(conversationIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** A user's direct conversations, the latest activity first. */
  directConversations(
    userId: string,
    after: ListPosition | undefined,
    limit: number,
  ): Promise<readonly ListedConversation[]>;
  /** Which seqs from one to another, both included, are stored; ascending. */
  storedSeqs(conversationId: string, fromSeq: bigint, toSeq: bigint): Promise<readonly bigint[]>;
  /** What has become of these messages. */
  changes(conversationId: string, seqs: readonly bigint[]): Promise<Changes>;
  /** How far a user has read in these conversations; those without a cursor are left out. */
  readSeqsOf(userId: string, conversationIds: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  /** How far these users have read in a conversation; those without a cursor are left out. */
  readSeqsIn(conversationId: string, userIds: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  /** How far the furthest device of each of these users has received a conversation; those without a cursor are left out. */
  deliveredSeqsIn(conversationId: string, userIds: readonly string[]): Promise<ReadonlyMap<string, bigint>>;
  /** How many of these users have read up to a record. */
  countReaders(conversationId: string, userIds: readonly string[], seq: bigint): Promise<number>;
  /** What a user has set for these conversations; those for which he never set anything are left out. */
  settingsOf(userId: string, conversationIds: readonly string[]): Promise<ReadonlyMap<string, Settings>>;
  /** How many messages of others a stretch holds, those in `except` left out; counted up to the limit. */
  countMessages(stretch: UserStretch, except: readonly bigint[]): Promise<number>;
  /** Messages of a stretch that were recalled, the oldest first, up to 1000 of them. */
  recalledIn(stretch: UserStretch): Promise<readonly bigint[]>;
  /** Messages of a stretch that name the user, the oldest first, up to the limit; his own may be among them. */
  namedIn(stretch: UserStretch): Promise<readonly bigint[]>;
  /** Messages of a stretch that mention everybody, the oldest first, up to the limit; his own may be among them. */
  mentionsAllIn(stretch: UserStretch): Promise<readonly bigint[]>;
  /** How many of these are stored messages of others. */
  countOfOthers(conversationId: string, userId: string, seqs: readonly bigint[]): Promise<number>;
}

/** A user, and what he has not read of a conversation: from one seq to another, both included. */
export interface UserStretch {
  readonly conversationId: string;
  readonly userId: string;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  /** Where counting ends. */
  readonly limit: number;
}

/** What a message says since an edit. */
export interface Edit {
  /** The edit's record. */
  readonly seq: bigint;
  readonly time: Timestamp | undefined;
  readonly content: Content;
  /** What the server found in it. */
  readonly flags: readonly string[];
}

/** What has become of a message. */
export interface MessageState {
  /** The message. */
  readonly seq: bigint;
  /** The last edit: its record and what the message says since then. */
  readonly edit: Edit | undefined;
  readonly recalled: boolean;
}

/** A user's reaction to a message. */
export interface Reaction {
  readonly targetSeq: bigint;
  readonly emoji: string;
  readonly userId: string;
  /** The reaction's record. */
  readonly seq: bigint;
  readonly removed: boolean;
}

/** What has become of messages. */
export interface Changes {
  readonly states: readonly MessageState[];
  readonly reactions: readonly Reaction[];
}

/** The log itself: always up to date, but only some days long. */
export interface RecordLog {
  /** The last record of a conversation; undefined when the log holds none any more. */
  last(conversationId: string): Promise<PlacedRecord | undefined>;
  /** The last records of these logs; those of which it holds none any more are left out. */
  lastOf(conversationIds: readonly string[]): Promise<ReadonlyMap<string, PlacedRecord>>;
  /** Up to `limit` records of a conversation from a stream sequence on, in order. */
  from(conversationId: string, streamSequence: number, limit: number): Promise<readonly PlacedRecord[]>;
}

/** The newest records of conversations, in a cache: it may be lost, or away, at any time, and is as if it were empty then. */
export interface RecordTail {
  /** Records of a conversation from a seq on, in ascending order; some may be missing. Never rejects. */
  from(conversationId: string, fromSeq: bigint): Promise<readonly PlacedRecord[]>;
}

/** How long is waited for the store where the same may be read elsewhere. */
export interface Patience {
  /**
   * Begins a read and waits for it. When it is late or UNAVAILABLE, or while the store is known to be in trouble, `whenThere` waits
   * on for the same read.
   */
  attempt<T>(read: () => Promise<T>): Promise<Attempt<T>>;
}

/** A read that was there in time, or not yet. */
export type Attempt<T> =
  | { readonly inTime: true; readonly value: T }
  | { readonly inTime: false; whenThere(): Promise<T> };

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
  /** The members of a group. */
  membersOf(groupId: string): Promise<readonly string[]>;
}
