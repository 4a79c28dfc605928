import { create, equals, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { DirectAudienceSchema, type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { PublishError } from "@oceanchat/runtime/bus-types";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import { MessageEncoder } from "@oceanchat/runtime/message-encoder";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import { errors } from "../errors.ts";
import type { Clock, LoggedRecord, LogStream, RecordStore } from "../ports.ts";
import type { Log } from "./log.ts";
import { saysTheSame } from "./moderation.ts";

/** A record that wants its place in a log. */
export interface Draft {
  readonly log: Log;
  /** `Nats-Msg-Id`: the same for every repeat of the same call. */
  readonly messageId: string;
  /** Complete when `ready` is, but for `seq` and `accepted_time`, which are filled in. */
  readonly record: Record;
  /**
   * What must be known before; undefined: nothing. The draft keeps its place in the order meanwhile. A record: it is there already,
   * from an earlier try. A rejection is the answer.
   */
  readonly ready: Promise<Record | undefined> | undefined;
  /** Asked when its turn has come: what is answered instead of appending, if there is nothing to append. */
  readonly instead?: () => Promise<Appended | undefined>;
  /** Told of the durable record before another draft of the log has its turn. */
  readonly appended?: (record: Record, streamSequence: number) => void;
  /** W3C trace context; empty when not traced. */
  readonly traceparent: string;
}

/** A durable record and its place. */
export interface Appended {
  readonly record: Record;
  /** Whether it was there already, from an earlier try. */
  readonly duplicate: boolean;
}

/** Limits of appending. */
export interface AppendLimits {
  /** How long an append may take in all, in milliseconds. */
  readonly deadlineMs: number;
  /** How long one answer of the stream is waited for, in milliseconds. */
  readonly answerMs: number;
  /** How often another writer may come first before the append is given up. */
  readonly conflicts: number;
  /** How many appends may wait for one log. */
  readonly perLog: number;
  /** How many may wait in all. */
  readonly total: number;
  /** How many heads of logs are remembered. */
  readonly heads: number;
  /** The largest record, in bytes. */
  readonly recordBytes: number;
}

/** A log's last record. */
interface Head {
  /** The log's id: the same string for all its records, so that what remembers them holds it once. */
  readonly logId: string;
  readonly seq: bigint;
  /** 0 when the stream has none (any more). */
  readonly streamSequence: number;
  /** Empty when it isn't known. */
  readonly messageId: string;
}

interface Job {
  readonly draft: Draft;
  readonly deadline: number;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

/**
 * Appends records to logs: those of one log strictly one after another, different logs beside each other. Order and the absence of
 * gaps come from the stream's compare-and-set, not from this process: any number of instances may append to the same log.
 */
export class Appender {
  readonly #stream: LogStream;
  readonly #store: RecordStore;
  readonly #clock: Clock;
  readonly #limits: AppendLimits;
  readonly #heads: RecentMap<Head>;
  readonly #encoder = new MessageEncoder();
  /** The logs that are being appended to, with the appends that wait; the first of them is under way. */
  readonly #lanes = new Map<string, Job[]>();
  #size = 0;

  constructor(stream: LogStream, store: RecordStore, clock: Clock, limits: AppendLimits) {
    this.#stream = stream;
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#heads = new RecentMap(limits.heads);
  }

  append(draft: Draft): Promise<Appended> {
    return this.draw(() => draft);
  }

  /** Likewise, and a draft that can't be made is a rejection. */
  draw(make: () => Draft): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const draft = make();
      const lane = this.#lanes.get(draft.log.id);
      if (this.#size >= this.#limits.total) throw shared.overloaded("too many messages wait");
      if (lane !== undefined && lane.length >= this.#limits.perLog) {
        throw shared.overloaded("too many messages wait for this conversation");
      }
      const job: Job = { draft, deadline: this.#clock.steady() + this.#limits.deadlineMs, resolve, reject };
      this.#size++;
      if (lane !== undefined) {
        lane.push(job);
        return;
      }
      const jobs = [job];
      this.#lanes.set(draft.log.id, jobs);
      void this.#work(draft.log.id, jobs);
    });
  }

  /** Never rejects. */
  async #work(logId: string, lane: Job[]): Promise<void> {
    for (let job = lane[0]; job !== undefined; job = lane[0]) {
      try {
        job.resolve(await this.#run(job));
      } catch (error) {
        job.reject(error);
      }
      lane.shift();
      this.#size--;
    }
    this.#lanes.delete(logId);
  }

  async #run(job: Job): Promise<Appended> {
    const { draft } = job;
    const earlier = draft.ready === undefined ? undefined : await draft.ready;
    if (earlier !== undefined) return answer(draft, earlier);
    const instead = draft.instead === undefined ? undefined : await draft.instead();
    if (instead !== undefined) return instead;
    draft.record.acceptedTime = timestampFromMs(this.#clock.now());
    let uncertain = false;
    for (let conflicts = 0; ; ) {
      if (this.#left(job) <= 0) throw uncertain ? outcomeUnknown() : shared.unavailable("the message log is too slow");
      try {
        return await this.#try(job);
      } catch (error) {
        if (error instanceof PublishError && error.kind === "conflict") conflicts++;
        else if (error instanceof PublishError && error.kind === "unknown") uncertain = true;
        else if (!uncertain || !mayPass(error)) throw refusal(error, uncertain);
        this.#heads.delete(draft.log.id);
        if (conflicts > this.#limits.conflicts) {
          throw uncertain ? outcomeUnknown(error) : shared.unavailable("too many writers", error, 200);
        }
        // The first conflict costs a look at the head and no more.
        if (uncertain || conflicts > 1) await this.#clock.pause(uncertain ? 50 : Math.min(2 ** conflicts, 32));
      }
    }
  }

  /** Publishes once behind the log's head. Rejects with a PublishError or a ServiceError. */
  async #try(job: Job): Promise<Appended> {
    const { draft } = job;
    const logId = draft.log.id;
    let head = this.#heads.get(logId);
    if (head === undefined) {
      head = await this.#findHead(logId, this.#answerMs(job));
      this.#heads.set(logId, head);
    }
    // An earlier publish of it came through after all, or its caller never heard of it.
    if (head.messageId === draft.messageId) return this.#readBack(head.streamSequence, job);
    draft.record.conversationId = head.logId;
    draft.record.seq = head.seq + 1n;
    const published = await this.#stream.publish(logId, this.#encode(draft), {
      messageId: draft.messageId,
      expectedStreamSequence: head.streamSequence,
      timeoutMs: this.#answerMs(job),
      traceparent: draft.traceparent,
    });
    if (published.duplicate) return this.#readBack(published.sequence, job);
    const { messageId, record } = draft;
    this.#heads.set(head.logId, { logId: head.logId, seq: record.seq, streamSequence: published.sequence, messageId });
    draft.appended?.(record, published.sequence);
    return { record, duplicate: false };
  }

  /** That seq, or the last one of the log when that is lower. Rejects with UNAVAILABLE. */
  async clamp(logId: string, seq: bigint): Promise<bigint> {
    // Another instance may have gone on since: the head that is remembered can only be too low.
    const known = this.#heads.get(logId);
    if (known !== undefined && seq <= known.seq) return seq;
    const head = await this.#findHead(logId, this.#limits.answerMs);
    return seq < head.seq ? seq : head.seq;
  }

  /** The stream keeps records for days only: of a quiet log just the store knows the head. */
  async #findHead(logId: string, answerMs: number): Promise<Head> {
    const last = await this.#stream.last(logId, answerMs);
    if (last !== undefined) {
      const { record, streamSequence, messageId } = last;
      return { logId, seq: record.seq, streamSequence, messageId };
    }
    const stored = await this.#store.head(logId);
    return { logId, seq: stored?.seq ?? 0n, streamSequence: 0, messageId: "" };
  }

  /** The answer when the record, or one of an earlier try, is there already. */
  async #readBack(streamSequence: number, job: Job): Promise<Appended> {
    let first: LoggedRecord | undefined;
    try {
      first = await this.#stream.at(streamSequence, this.#answerMs(job));
    } catch (error) {
      throw new PublishError("unknown", `the record at ${streamSequence} can't be read back`, { cause: error });
    }
    if (first === undefined) throw new PublishError("unknown", `the record at ${streamSequence} is gone`);
    const appended = answer(job.draft, first.record);
    job.draft.appended?.(first.record, streamSequence);
    return appended;
  }

  #encode({ record, log }: Draft): Uint8Array {
    const entry = this.#encoder.encode(LogEntrySchema, create(LogEntrySchema, { record, audience: audienceOf(log) }));
    const { recordBytes } = this.#limits;
    if (entry.length > recordBytes) {
      const size = toBinary(RecordSchema, record).length;
      if (size > recordBytes) throw errors.tooLarge(size, recordBytes);
    }
    return entry;
  }

  #left(job: Job): number {
    return job.deadline - this.#clock.steady();
  }

  #answerMs(job: Job): number {
    return Math.max(1, Math.min(this.#limits.answerMs, this.#left(job)));
  }
}

function audienceOf(log: Log): LogEntry["audience"] {
  switch (log.kind) {
    case "direct":
      return { case: "direct", value: create(DirectAudienceSchema, { userIds: [...log.userIds] }) };
    case "group":
      return { case: "groupId", value: log.groupId };
    case "user":
      return { case: "userId", value: log.userId };
  }
}

/** The answer when the record is there already: from this very call if it carries the call's own record id. */
function answer({ record }: Draft, stored: Record): Appended {
  if (stored.recordId === record.recordId) return { record: stored, duplicate: false };
  const { conversationId, senderUserId, body } = record;
  const repeated = { ...stored, conversationId, senderUserId, body };
  if (!equals(RecordSchema, stored, repeated) && !saysTheSame(stored, repeated)) throw shared.idempotencyMismatch();
  return { record: stored, duplicate: true };
}

/** Whether it may go away before the deadline; asked only while an earlier publish may be stored. */
function mayPass(error: unknown): boolean {
  if (error instanceof PublishError) return error.kind === "unavailable" || error.kind === "overloaded";
  return error instanceof ServiceError && error.reason === "ERROR_REASON_UNAVAILABLE";
}

function refusal(error: unknown, uncertain: boolean): unknown {
  if (!(error instanceof PublishError)) return error;
  return uncertain ? outcomeUnknown(error) : error.toServiceError();
}

function outcomeUnknown(cause?: unknown): ServiceError {
  return shared.outcomeUnknown("the message may or may not be stored", cause);
}
