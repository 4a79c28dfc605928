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
}

/** A direct conversation in a user's list (`StoredUserConversation` in proto). */
export interface UserConversation {
  readonly userId: string;
  readonly conversationId: string;
  readonly lastTime: Date;
}

/** What becomes of a message (`StoredMessageState` in proto): an edit, a recall or both. */
export interface MessageChange {
  readonly conversationId: string;
  /** The message. */
  readonly seq: bigint;
  /** The edit's record and what the message says since then: `Content`, encoded. */
  readonly edit: { readonly seq: bigint; readonly time: Date; readonly content: Uint8Array } | undefined;
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

/** What records change of other things than themselves. */
export interface Changes {
  readonly messages: readonly MessageChange[];
  readonly reactions: readonly Reaction[];
  readonly readCursors: readonly ReadCursor[];
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
