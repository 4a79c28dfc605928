import type {
  ReadInterval as GroupReadInterval,
  SendVerdict,
} from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { ConversationSignal } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { Published } from "@oceanchat/runtime/bus-types";

/** A record as it lies in the stream. */
export interface LoggedRecord {
  readonly record: Record;
  readonly streamSequence: number;
  /** The `Nats-Msg-Id` that it was published with. */
  readonly messageId: string;
}

/** How an entry is published. */
export interface AppendOptions {
  readonly messageId: string;
  /** Compare-and-set: where the log's last record lies in the stream; 0 when the stream has none. */
  readonly expectedStreamSequence: number;
  readonly timeoutMs: number;
  /** W3C trace context; empty when not traced. */
  readonly traceparent: string;
}

/** The stream of all logs. Reads never miss what is stored; they reject with UNAVAILABLE after `timeoutMs`. */
export interface LogStream {
  /** A log's last record; undefined when the stream has none (any more). */
  last(logId: string, timeoutMs: number): Promise<LoggedRecord | undefined>;
  /** The record at a place in the stream. */
  at(streamSequence: number, timeoutMs: number): Promise<LoggedRecord | undefined>;
  /** Up to `limit` records of a log from a place in the stream on, in order. */
  from(logId: string, streamSequence: number, limit: number, timeoutMs: number): Promise<LoggedRecord[]>;
  /** Publishes an encoded `LogEntry` once. Rejects with a PublishError only. */
  publish(logId: string, entry: Uint8Array, options: AppendOptions): Promise<Published>;
}

/** A log's last record as the message store knows it; it may be behind the stream's. */
export interface StoredLogHead {
  readonly seq: bigint;
  readonly streamSequence: number;
}

/** The message store, which persistence-writer fills: records before heads. Rejects with UNAVAILABLE. */
export interface RecordStore {
  head(logId: string): Promise<StoredLogHead | undefined>;
  /** The message that a user sent with this `client_message_id`. */
  message(senderUserId: string, clientMessageId: string): Promise<Record | undefined>;
  /** The record of that log with that id; of those that are not in the archive, of whatever log. */
  record(logId: string, recordId: string): Promise<Record | undefined>;
  /** The record at that place of a log. */
  at(logId: string, seq: bigint): Promise<Record | undefined>;
  /** What is neither a message nor a reaction or read cursor, by the `Nats-Msg-Id` that it was accepted with in the last 7 days. */
  appended(messageId: string): Promise<Record | undefined>;
  /** Whether a message was taken back. */
  recalled(conversationId: string, seq: bigint): Promise<boolean>;
  /** The kinds of reactions that a message has now, at most one more than `limit`. */
  reactionKinds(conversationId: string, targetSeq: bigint, limit: number): Promise<string[]>;
}

/** What group says about a user who wants to write. */
export interface SendAnswer {
  readonly verdict: SendVerdict;
  /** Unspecified when he isn't a member. */
  readonly role: GroupRole;
}

/** What user says about two users, and what that depends on: it holds as long as the slot's revision is this (0: not known). */
export interface DirectAnswer {
  readonly verdict: DirectVerdict;
  readonly slot: number;
  readonly revision: number;
}

/** A stretch of a conversation that a user may read; without an end (0) while his membership lasts. */
export type ReadInterval = Pick<GroupReadInterval, "fromSeq" | "toSeq">;

/** The owners of the rules about who may write to whom and read what. Rejects with UNAVAILABLE when they can't be asked. */
export interface PermissionPeers {
  checkSend(groupId: string, userId: string, mentionsAll: boolean, traceparent: string): Promise<SendAnswer>;
  checkRead(groupId: string, userId: string, traceparent: string): Promise<readonly ReadInterval[]>;
  checkDirect(senderUserId: string, recipientUserId: string, traceparent: string): Promise<DirectAnswer>;
  /** The revisions of all slots, read after the question. */
  directRevisions(): Promise<readonly number[]>;
}

/** Time. */
export interface Clock {
  /** Milliseconds since the epoch, for people. */
  now(): number;
  /** Milliseconds that never jump, for deadlines. */
  steady(): number;
  /** Waits a random time of up to `ms`, at least half of it. */
  pause(ms: number): Promise<void>;
}

/** Where signals go, at most once. */
export interface SignalOutlet {
  send(signal: ConversationSignal): void;
}

/** How far a device has received a conversation. */
export interface DeliveredCursor {
  readonly userId: string;
  readonly conversationId: string;
  readonly deviceId: string;
  readonly deliveredSeq: bigint;
  /** When it moved, in milliseconds since the epoch. */
  readonly movedMs: number;
}

/** The delivered cursors, which are written by this service alone. */
export interface DeliveredStore {
  /**
   * Moves cursors forward; one that is further already stays. Gives those that the store refuses. Rejects with OUTCOME_UNKNOWN when
   * it doesn't answer: repeating does no harm.
   */
  save(cursors: readonly DeliveredCursor[]): Promise<ReadonlySet<DeliveredCursor>>;
}

/** What an operator should know. */
export interface Journal {
  /** The store doesn't take delivered cursors: so many wait. */
  deliveredWaits(cursors: number, error: unknown): void;
  /** So many delivered cursors were given up; their devices confirm again. */
  deliveredDropped(cursors: number): void;
}
