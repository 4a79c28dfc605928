/** Where the log ends, and which log: it has another time of birth when it was set up anew. */
export interface LogPosition {
  /** The stream sequence of its last record. */
  readonly lastSequence: number;
  readonly createdMs: number;
}

/** What has come to the log lately: the store may not have it yet. */
export interface RecentLogs {
  /** Everything that was accepted before the call. UNAVAILABLE when that can't be had. */
  caughtUp(): Promise<RecentView>;
  /** Where the log ends at the moment; what was accepted before the call lies at or before that. */
  position(): Promise<LogPosition>;
}

/** What is ahead of the store. Its questions are to be asked before the store is: then nothing falls between the two. */
export interface RecentView {
  /** Where the log ended; everything up to there is known. */
  readonly end: LogPosition;
  /**
   * Of these logs those that may be ahead of the store, each with its last record's stream sequence. The others are in the store as
   * they are. UNAVAILABLE when there are too many to remember.
   */
  aheadOf(logIds: Iterable<string>): ReadonlyMap<string, number>;
  /** The same for all direct conversations of a user. */
  directOf(userId: string): ReadonlyMap<string, number>;
  /** The store has everything up to this stream sequence. */
  storedUpTo(): number;
}

/** A log and where its last record lies in the stream, as the store knows it. */
export interface PlacedLog {
  readonly logId: string;
  /** 0 when the store doesn't say. */
  readonly streamSequence: number;
}

/** A place in a list by stream sequence, the highest first; among equals by id, the highest first. */
export type MovePlace = PlacedLog;

/** Which conversations have moved: all, or those since a place in the stream and about a time. */
export type MovedSince = { readonly streamSequence: number; readonly timeMs: number } | undefined;

/** The store, asked for what has moved. */
export interface MoveStore {
  /** A user's direct conversations that have moved, the last one first, beginning after a place. */
  directMoved(
    userId: string,
    since: MovedSince,
    after: MovePlace | undefined,
    limit: number,
  ): Promise<readonly PlacedLog[]>;
  /** A user's direct conversations above a place of that list, the lowest first. */
  directAbove(userId: string, place: MovePlace, limit: number): Promise<readonly PlacedLog[]>;
  /** Where these direct conversations of a user lie; those that the store doesn't know are left out. */
  directPlaces(userId: string, conversationIds: readonly string[]): Promise<readonly PlacedLog[]>;
  /** Where the last records of these logs lie, and when they were accepted, in milliseconds since the epoch. */
  placesOf(logIds: readonly string[]): Promise<ReadonlyMap<string, PlacedLog & { readonly lastTimeMs: number }>>;
}

/** A user's membership of a group. */
export interface Membership {
  readonly groupId: string;
  readonly fromSeq: bigint;
  /** Undefined while it lasts. */
  readonly toSeq: bigint | undefined;
  /** In milliseconds since the epoch. */
  readonly joinTimeMs: number;
}

/** Who knows memberships. */
export interface MembershipPeers {
  /** A user's groups; with a time also those that he has left since then. */
  memberships(userId: string, leftSinceMs: number | undefined): Promise<readonly Membership[]>;
}
