import { create, toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { keyOf } from "@oceanchat/runtime/declared-names";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Redis } from "ioredis";
import type { Db, Document } from "mongodb";

const stream = streamOf(LogEntrySchema);
const keyFor = keyOf(TailRecordSchema);

/** A record in its log. */
export interface Logged {
  readonly record: LogRecord;
  readonly sequence: number;
}

/** Appends records to their conversations' logs, as message does. */
export async function append(bus: Bus, records: readonly LogRecord[]): Promise<Logged[]> {
  const logged: Logged[] = [];
  for (const record of records) {
    const { conversationId: id } = record;
    const own = id.startsWith("u_");
    const subject = own ? stream.subjectOf("user", { id: id.slice(2) }) : stream.subjectOf("conversation", { id });
    const entry = toBinary(LogEntrySchema, create(LogEntrySchema, { record }));
    const { sequence } = await bus.publish(subject, entry, { expectStream: stream.name });
    logged.push({ record, sequence });
  }
  return logged;
}

/** Stores them, as persistence-writer does; of what records change only edits and recalls. */
export async function store(db: Db, logged: readonly Logged[]): Promise<void> {
  for (const { record } of logged) await applyChange(db, record);
  const rows = logged.map(({ record, sequence }) => ({
    conversationId: record.conversationId,
    seq: record.seq,
    recordId: record.recordId,
    senderUserId: record.senderUserId,
    kind: record.body.case,
    streamSequence: BigInt(sequence),
    record: toBinary(RecordSchema, record),
  }));
  await db.collection("records").insertMany(rows);
  for (const each of logged) await moveHead(db, each);
}

async function moveHead(db: Db, { record, sequence }: Logged): Promise<void> {
  const { conversationId, seq, acceptedTime } = record;
  const lastTime = acceptedTime === undefined ? new Date(0) : timestampDate(acceptedTime);
  const place = { headSeq: seq, streamSequence: BigInt(sequence), lastTime };
  const lastRecord = toBinary(RecordSchema, record);
  const recalled = record.body.case === "recall" ? { lastRecalledSeq: record.body.value.targetSeq } : {};
  await put(db, "conversation_heads", conversationId, { $set: { ...place, lastRecord }, $max: recalled });
  for (const userId of conversationId.startsWith("d_") ? conversationId.slice(2).split("_") : []) {
    const listed = { userId, conversationId, lastTime, streamSequence: BigInt(sequence) };
    await put(db, "user_conversations", `${userId}:${conversationId}`, { $set: listed });
  }
}

async function applyChange(db: Db, { conversationId, seq, body, acceptedTime }: LogRecord): Promise<void> {
  if (body.case === "recall") {
    const { targetSeq } = body.value;
    const state = { conversationId, seq: targetSeq, recallSeq: seq };
    await put(db, "message_states", `${conversationId}:${targetSeq}`, { $set: state });
  } else if (body.case === "edit" && body.value.content !== undefined && acceptedTime !== undefined) {
    const { targetSeq, content } = body.value;
    const encoded = toBinary(ContentSchema, content);
    const state = { conversationId, seq: targetSeq, editSeq: seq, editedTime: timestampDate(acceptedTime) };
    await put(db, "message_states", `${conversationId}:${targetSeq}`, { $set: { ...state, content: encoded } });
  }
}

async function put(db: Db, collection: string, id: string, update: Document): Promise<void> {
  const named = db.collection<{ _id: string }>(collection);
  await named.updateOne({ _id: id }, update, { upsert: true });
}

/** Puts them into the tail. */
export async function cache(redis: Redis, logged: readonly Logged[]): Promise<void> {
  for (const { record, sequence } of logged) {
    const encoded = create(TailRecordSchema, {
      record: toBinary(RecordSchema, record),
      streamSequence: BigInt(sequence),
    });
    const key = keyFor({ conversation_id: record.conversationId });
    await redis.zadd(key, Number(record.seq), Buffer.from(toBinary(TailRecordSchema, encoded)));
  }
}
