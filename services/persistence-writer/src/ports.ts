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

/** The message store. Every method may be repeated; every rejection means "unknown, try again". */
export interface Store {
  /** Inserts what it can. Returns the positions of rows that break a unique index: the same row is there, or another in its place. */
  insert(rows: readonly RecordRow[]): Promise<readonly number[]>;
  /** Where these records lie; those that are nowhere are left out. */
  placesOf(recordIds: readonly string[]): Promise<readonly Place[]>;
  /** Which record lies there. */
  recordAt(conversationId: string, seq: bigint): Promise<string | undefined>;
  /** Moves heads forward. */
  moveHeads(heads: readonly Head[]): Promise<void>;
  /** Makes conversations appear in their users' lists and moves them forward. */
  moveUserConversations(conversations: readonly UserConversation[]): Promise<void>;
}
