import type { DescMessage } from "@bufbuild/protobuf";
import { type ServiceError, shared } from "./fail.ts";

/** A message as it is kept in a stream. */
export interface StoredMessage {
  /** The stream sequence. */
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** When the server stored it. */
  readonly time: Date;
  /** The `Nats-Msg-Id` that it was published with. */
  readonly messageId: string | undefined;
  /** W3C trace context of the publisher; empty when it was not traced. */
  readonly traceparent: string;
  /** The first value of any other header. */
  header(name: string): string | undefined;
}

/** A message handed to a consumer. */
export interface Delivered extends StoredMessage {
  /** 1 on the first delivery by the server; more after a crash, a lost acknowledgement or a broken connection. */
  readonly deliveries: number;
  /** How often this process has handed it to `handle` before: 0 the first time. */
  readonly attempts: number;
}

/**
 * What became of one message of a batch:
 * - `"ack"`: done;
 * - `{ retryAfterMs }`: hand it over again after that time; the rest of its lane waits for it, so order is kept;
 * - `{ dead }`: it can never be handled, for this reason: move it to the DEAD stream.
 */
export type Outcome = "ack" | { readonly retryAfterMs: number } | { readonly dead: string };

/** How a service consumes one of its durable consumers. */
export interface ConsumeOptions {
  readonly stream: string;
  /** The durable consumer: made before with `ensureConsumer` of the same bus. */
  readonly consumer: string;
  /**
   * This process is the only one that consumes it. At start the consumer is set back to its first unacknowledged
   * message: what a dead predecessor held comes at once and in order, together with a few messages that it had
   * finished. Default false: it comes after `ackWaitMs`, behind newer messages. With another process beside it both
   * would handle the same messages.
   */
  readonly exclusive?: boolean;
  /** How many lanes may be handled at the same time. */
  readonly lanes: number;
  /**
   * The lane of a message. Messages of one lane are handled in order and never two batches of it at once. Lanes are
   * told apart by value and cost nothing while they are empty; fold ids into few lanes (`partitionOf`) where full
   * batches matter. A message for which this throws goes to the DEAD stream. Order is kept within one process:
   * several that share a consumer share out its messages singly, so where order matters each needs partitions of its
   * own (`filterSubjects`).
   */
  laneOf(message: StoredMessage): number | string;
  /** The largest batch. */
  readonly maxBatch: number;
  /**
   * How long messages wait for others at most, in milliseconds: in the server, which is asked again after that time. What comes then goes
   * to all lanes at the same time. The first one after a silence doesn't wait. Default 0: each message comes at once.
   */
  readonly lingerMs?: number;
  /**
   * How many messages this process holds at most, handled or waiting; the memory for that many of the largest must be
   * there. More than the consumer's `maxAckPending` is of no use.
   */
  readonly maxInFlight: number;
  /**
   * Handles a batch of one lane. Resolving with nothing acknowledges all; with an array, one outcome per message.
   * Throwing means trouble with something else (a database, a peer): nothing is acknowledged, the lane waits and the
   * same messages come again in the same order, in smaller batches, for ever. Must be idempotent.
   */
  handle(batch: readonly Delivered[]): Promise<void> | Promise<readonly Outcome[]>;
  /**
   * How long a lane waits after its n-th failure in a row (from 1). Default 100 ms doubled up to 30 s, half of it
   * random.
   */
  retryDelayMs?(failures: number): number;
  /**
   * Asked when `handle` threw for a batch of one: a text means that this message will never pass and goes to the DEAD
   * stream for that reason. Default: keep trying, but at the last delivery (`maxDeliver`).
   */
  poison?(message: Delivered, error: unknown): string | undefined;
}

/** A running consumer. */
export interface Consumption {
  /** How many messages the consumer has not been given yet (`num_pending`). */
  lag(): Promise<number>;
  /** What this process holds at the moment. */
  held(): { readonly messages: number; readonly lanes: number; readonly running: number };
  /**
   * Stops pulling, lets running batches end (at most `drainMs`, default 10,000) and hands back what was not begun.
   */
  stop(drainMs?: number): Promise<void>;
}

/** How a message is published. */
export interface PublishOptions {
  /** The stream that must take it; another one, or none, is an error. */
  readonly expectStream: string;
  /**
   * `Nats-Msg-Id`: the stream answers a repeat within its window with `duplicate: true`. Printable ASCII, at most
   * 256.
   */
  readonly messageId?: string;
  /** Compare-and-set: the stream sequence of the subject's last message; 0 when it has none. */
  readonly expectLastSubjectSequence?: number | bigint;
  /** How long to wait for room in the window and then again for the answer, in milliseconds. Default 2,000. */
  readonly timeoutMs?: number;
  /** W3C trace context to pass on. */
  readonly traceparent?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The server's answer: the message is stored. */
export interface Published {
  readonly sequence: number;
  /** It was there already; `sequence` is that of the first. */
  readonly duplicate: boolean;
}

/**
 * - `conflict`: not stored, `expectLastSubjectSequence` is not the last one;
 * - `full`: not stored, the stream or the server's storage is full;
 * - `unknown`: no answer; it may or may not be stored, or be stored later;
 * - `refused`: not stored, the server said no for another reason;
 * - `overloaded`: nothing was sent, too many publishes wait already;
 * - `unavailable`: not stored, there is no connection or no server that answers for the subject.
 */
export type PublishFailure = "conflict" | "full" | "unknown" | "refused" | "overloaded" | "unavailable";

/** Why a publish did not end with an answer that it is stored. */
export class PublishError extends Error {
  override readonly name = "PublishError";
  readonly kind: PublishFailure;
  /** The server's error code (`err_code`), 0 when it gave none. */
  readonly code: number;

  constructor(kind: PublishFailure, message: string, extra: { code?: number; cause?: unknown } = {}) {
    super(message, { cause: extra.cause });
    this.kind = kind;
    this.code = extra.code ?? 0;
  }

  /** The error for a caller who can do nothing about it. */
  toServiceError(): ServiceError {
    if (this.kind === "unknown") return shared.outcomeUnknown("the message may or may not be stored", this);
    if (this.kind === "full" || this.kind === "overloaded") return shared.overloaded("no room for the message", 1000);
    if (this.kind === "refused") return shared.internal(this);
    return shared.unavailable("the stream can't take the message now", this);
  }
}

/** A durable consumer. */
export interface ConsumerSpec {
  readonly name: string;
  /** Only messages of these subjects. Default: all of the stream. */
  readonly filterSubjects?: readonly string[];
  /** After this time without acknowledgement or sign of work a message is delivered again. */
  readonly ackWaitMs: number;
  /** How many messages may be delivered and not acknowledged, over all processes. */
  readonly maxAckPending: number;
  /**
   * How often a message is delivered at most; -1: no limit. Retries inside a process don't count. When the handler
   * throws at the last delivery, or the process does not survive it, the message goes to the DEAD stream.
   */
  readonly maxDeliver: number;
}

/** What an installation may set differently from the stream's declaration. */
export interface StreamOverrides {
  /** Largest size on disk, in bytes. */
  readonly maxBytes?: number;
  /** Default 1. */
  readonly replicas?: number;
}

/** Where a read goes. */
export interface ReadOptions {
  /**
   * Ask the stream's leader. By default any replica answers, quicker; with one replica that is always up to date,
   * with more it may miss the newest messages: use the leader wherever a missing message would be taken for an absent
   * one (a cold log's head).
   */
  readonly leader?: boolean;
}

/** Where a stream ends. */
export interface StreamPosition {
  /** The last message that it ever held; 0 when there was none. */
  readonly lastSequence: number;
  /** When it was made, in milliseconds since the epoch: it tells a stream from one that was made anew under its name. */
  readonly createdMs: number;
}

/** How a stream is followed. */
export interface FollowOptions {
  readonly stream: string;
  /** Only messages of this subject or filter. Default: all of the stream. */
  readonly subject?: string;
  /**
   * Asked whenever following begins: at start, after a lost connection, when the stream was made anew. Gives the sequence of the
   * first message to see. Where it throws it is asked again, in growing intervals.
   */
  from(position: StreamPosition): Promise<number>;
  /** How long messages may wait in the server for others, in milliseconds, while nobody waits in `reached`. Default 0. */
  readonly gatherMs?: number;
  /** Called for every message from there on, in order; after a new beginning for some of them again. */
  handle(message: { readonly subject: string; readonly sequence: number }): void;
}

/** A stream that is being followed. */
export interface Following {
  /**
   * Resolves when everything up to there was handled. UNAVAILABLE when that takes longer than `timeoutMs`, for instance because
   * the connection is lost.
   */
  reached(position: StreamPosition, timeoutMs: number): Promise<void>;
  /** Begins anew; the reason is for the log. */
  restart(why?: string): void;
  stop(): Promise<void>;
}

/** The service's connection to NATS: durable streams and at-most-once signals. */
export interface Bus {
  /**
   * Makes the stream that the message type declares, or updates it, with what the process is told (`host.bus`) and then
   * the overrides; throws when the server's configuration still
   * differs.
   */
  ensureStream(desc: DescMessage, overrides?: StreamOverrides): Promise<void>;
  /** Makes or updates a durable consumer of that stream; throws when the server's configuration still differs. */
  ensureConsumer(desc: DescMessage, spec: ConsumerSpec): Promise<void>;
  /** Publishes once, without retries. Rejects with a PublishError only. */
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published>;
  /** The last message of a subject. */
  lastBySubject(stream: string, subject: string, options?: ReadOptions): Promise<StoredMessage | undefined>;
  /**
   * The last messages of many subjects, by subject; those without one are left out. As fresh as the leader's, in one request for
   * 500 subjects (with replicas, sometimes one for each).
   */
  lastBySubjects(stream: string, subjects: readonly string[]): Promise<ReadonlyMap<string, StoredMessage>>;
  /** The message at a stream sequence. */
  bySequence(stream: string, sequence: number, options?: ReadOptions): Promise<StoredMessage | undefined>;
  /**
   * Up to `limit` messages of a subject or filter from a stream sequence on, in order; fewer only when there are no
   * more.
   */
  bySubjectFrom(stream: string, subject: string, startSequence: number, limit: number): Promise<StoredMessage[]>;
  /** Where a stream ends, as its leader knows it: whatever was acknowledged before the call lies at or before that. */
  position(stream: string): Promise<StreamPosition>;
  /** Up to where a durable consumer has acknowledged everything; undefined when there is no such consumer. */
  ackFloor(stream: string, consumer: string): Promise<number | undefined>;
  /** Sees the subject and the place of every message of a stream, not its data; for what must know what has come lately. */
  follow(options: FollowOptions): Following;
  /**
   * Sends to whoever listens now. At most once: nothing is kept, nothing is retried, dropped (false) while
   * disconnected.
   */
  signal(subject: string, data: Uint8Array): boolean;
  /**
   * Listens to signals. Of several processes that name the same `queue` one gets each signal. Returns the function that
   * ends it.
   */
  onSignal(subject: string, handler: (data: Uint8Array, subject: string) => void, queue?: string): () => void;
  /**
   * Starts to consume; after `ensureConsumer` of the consumer and `ensureStream(DeadLetterSchema)`, where poison goes and
   * whence an operator gives it back: what this consumer has given up comes to its `handle` again, singly and beside the
   * stream's own messages.
   */
  consume(options: ConsumeOptions): Promise<Consumption>;
  /** Whether the connection is up, for readiness. */
  connected(): boolean;
  /** Stops consumptions, waits for publishes that are under way and closes the connection. */
  close(): Promise<void>;
}
