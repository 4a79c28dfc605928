/** A record as it is stored (`StoredRecord` in proto). */
export interface RecordRow {
  readonly recordId: string;
  readonly conversationId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  /** Only of messages. */
  readonly clientMessageId: string | undefined;
  readonly kind: string;
  readonly streamSequence: bigint;
  readonly acceptedTime: Date;
  /** The whole record, encoded. */
  readonly record: Uint8Array;
  /** Who a message mentions; empty when nobody. */
  readonly mentions: readonly string[];
  /** Whether a message mentions everybody. */
  readonly mentionsAll: boolean;
}

/** Which record lies where. */
export interface Place {
  readonly recordId: string;
  readonly conversationId: string;
  readonly seq: bigint;
}

/** How far a log has come (`StoredHead` in proto). */
export interface Head {
  readonly conversationId: string;
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
  readonly lastTime: Date;
  /** The record at `headSeq`, encoded. */
  readonly lastRecord: Uint8Array;
  /** The highest message that these records recall. */
  readonly lastRecalledSeq: bigint | undefined;
  /** The highest of these messages that mentions everybody. */
  readonly lastMentionAllSeq: bigint | undefined;
}

/** A direct conversation in a user's list (`StoredUserConversation` in proto). */
export interface UserConversation {
  readonly userId: string;
  readonly conversationId: string;
  readonly lastTime: Date;
  readonly streamSequence: bigint;
}

/** What a message says since an edit. */
export interface Edit {
  /** The edit's record. */
  readonly seq: bigint;
  readonly time: Date;
  /** `Content`, encoded. */
  readonly content: Uint8Array;
  /** What the server found in it. */
  readonly flags: readonly string[];
}

/** What becomes of a message (`StoredMessageState` in proto): an edit, a recall or both. */
export interface MessageChange {
  readonly conversationId: string;
  /** The message. */
  readonly seq: bigint;
  /** The edit's record and what the message says since then: `Content`, encoded. */
  readonly edit: Edit | undefined;
  /** The recall's record. */
  readonly recallSeq: bigint | undefined;
}

/** A user's reaction to a message (`StoredReaction` in proto). */
export interface Reaction {
  readonly conversationId: string;
  readonly targetSeq: bigint;
  readonly emoji: string;
  readonly userId: string;
  /** The reaction's record. */
  readonly seq: bigint;
  readonly removed: boolean;
}

/** How far a user has read (`StoredReadCursor` in proto). */
export interface ReadCursor {
  readonly userId: string;
  readonly conversationId: string;
  readonly readSeq: bigint;
}

/** What a record says of one setting. */
export interface Setting<T> {
  /** The record, in its user's own log. */
  readonly seq: bigint;
  readonly value: T;
}

/** What becomes of a user's settings for a conversation (`StoredConversationSettings` in proto). */
export interface SettingsChange {
  readonly userId: string;
  readonly conversationId: string;
  readonly pinned: Setting<boolean> | undefined;
  /** The epoch for not at all. */
  readonly mutedUntil: Setting<Date> | undefined;
}

/** A message that names a user (`StoredMention` in proto). */
export interface Mention {
  readonly userId: string;
  readonly conversationId: string;
  readonly seq: bigint;
}

/** Under which idempotency key a record that is no message was accepted (`StoredAppendKey` in proto). */
export interface AppendKey extends Place {
  readonly messageId: string;
  readonly acceptedTime: Date;
}

/** What records change of other things than themselves. */
export interface Changes {
  readonly messages: readonly MessageChange[];
  readonly reactions: readonly Reaction[];
  readonly readCursors: readonly ReadCursor[];
  readonly settings: readonly SettingsChange[];
  readonly mentions: readonly Mention[];
  readonly appendKeys: readonly AppendKey[];
}

/** The message store. Every method may be repeated; every rejection means "unknown, try again". */
export interface Store {
  /** Inserts what it can. Returns the positions of rows that break a unique index: the same row is there, or another in its place. */
  insert(rows: readonly RecordRow[]): Promise<readonly number[]>;
  /** Where these records lie; those that are nowhere are left out. */
  placesOf(recordIds: readonly string[]): Promise<readonly Place[]>;
  /** Which record lies there. */
  recordAt(conversationId: string, seq: bigint): Promise<string | undefined>;
  /** Applies changes. What has been changed by a record with a higher seq already stays, so that the order doesn't matter. */
  apply(changes: Changes): Promise<void>;
  /** Moves heads forward. */
  moveHeads(heads: readonly Head[]): Promise<void>;
  /** Makes conversations appear in their users' lists and moves them forward. */
  moveUserConversations(conversations: readonly UserConversation[]): Promise<void>;
}

/** What a batch brings to the tail of one conversation, at most what the tail may hold. */
export interface TailAddition {
  readonly conversationId: string;
  readonly records: readonly TailMember[];
}

/** A record of the tail: `TailRecord`, encoded. */
export interface TailMember {
  readonly seq: bigint;
  readonly encoded: Uint8Array;
}

/** The newest records of conversations, where they are read fastest. A cache: it may lose or miss any of them. */
export interface Tail {
  /** Adds what the store holds by now. Resolves in any case, and soon. */
  add(additions: readonly TailAddition[]): Promise<void>;
}

/** A stored record, as far as the archive takes it. */
export interface ArchivableRecord {
  readonly seq: bigint;
  readonly acceptedTime: Date;
  readonly isMessage: boolean;
  readonly streamSequence: bigint;
  /** The whole record, encoded. */
  readonly record: Uint8Array;
  /** What it takes in `records`, in bytes. */
  readonly storedBytes: number;
}

/** Old records that follow each other, at least one. */
export interface ArchiveBlock {
  readonly conversationId: string;
  readonly records: readonly ArchivableRecord[];
}

/** How far the archive of a conversation has come. */
export interface ArchiveProgress {
  readonly conversationId: string;
  readonly headSeq: bigint;
  /** 0 when nothing is archived. */
  readonly archivedSeq: bigint;
  readonly archivedTime: Date | undefined;
  /** 0 when nothing is removed. */
  readonly trimmedSeq: bigint;
}

/** The message store, as the archive sees it. Every method may be repeated. */
export interface ArchiveStore {
  progressOf(conversationId: string): Promise<ArchiveProgress | undefined>;
  /** Conversations behind one, by id. */
  progressAfter(conversationId: string | undefined, limit: number): Promise<readonly ArchiveProgress[]>;
  acceptedTimeOf(conversationId: string, seq: bigint): Promise<Date | undefined>;
  /** Records behind a seq, in order; some may be missing. */
  recordsAfter(conversationId: string, seq: bigint, limit: number): Promise<readonly ArchivableRecord[]>;
  /**
   * Writes a block, or finds the one that another run has begun at the same record; reads it back and compares. Gives where it ends
   * and what it takes. Rejects when it holds something else.
   */
  putBlock(block: ArchiveBlock): Promise<{ readonly toSeq: bigint; readonly bytes: number }>;
  /** The last record in a block; 0 when there is none. */
  blocksEnd(conversationId: string): Promise<bigint>;
  markArchived(conversationId: string, seq: bigint, time: Date): Promise<void>;
  /** Removes the records behind one seq up to another, and notes it. */
  trim(conversationId: string, afterSeq: bigint, toSeq: bigint): Promise<void>;
}
