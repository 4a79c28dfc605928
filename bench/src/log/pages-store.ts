import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { keyOf } from "@oceanchat/runtime/declared-names";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Redis } from "ioredis";
import type { Db, Document } from "mongodb";

/** The two who talk, and their conversation. */
export const alice = "00000000-0000-7000-8000-00000000000a";
export const bob = "00000000-0000-7000-8000-00000000000b";
export const conversationId = `d_${alice}_${bob}`;

const TEXT = "lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam nonumy eirmod tempor invidunt ut lab";
const START_MS = Date.UTC(2026, 0, 1);
const BATCH = 1_000;
/** As many of the newest lie in the log and in the tail. */
const NEWEST = 100;

function recordAt(seq: number): LogRecord {
  const content = { kind: { case: "text", value: { text: `${seq} ${TEXT}` } } } as const;
  return create(RecordSchema, {
    conversationId,
    seq: BigInt(seq),
    recordId: `00000000-0000-7000-8000-${String(seq).padStart(12, "0")}`,
    senderUserId: seq % 2 === 0 ? alice : bob,
    senderDeviceId: "laptop",
    acceptedTime: timestampFromMs(START_MS + seq),
    body: { case: "message", value: { clientMessageId: `10000000-${seq}`, content } },
  });
}

/** Puts a conversation of so many messages into the store, every 50th edited and every 20th with a reaction, as the writer does. */
export async function fillStore(db: Db, records: number): Promise<void> {
  const stored = db.collection<Document & { _id: string }>("records");
  await stored.createIndexes([
    { name: "place", key: { conversationId: 1, seq: 1 }, unique: true },
    { name: "clientMessage", key: { senderUserId: 1, clientMessageId: 1 }, unique: true },
  ]);
  await db.collection("reactions").createIndexes([{ name: "target", key: { conversationId: 1, targetSeq: 1 } }]);
  const content = toBinary(ContentSchema, create(ContentSchema, { kind: { case: "text", value: { text: TEXT } } }));
  for (let first = 1; first <= records; first += BATCH) {
    const seqs = Array.from({ length: Math.min(BATCH, records - first + 1) }, (_, n) => first + n);
    const edited = seqs.filter((seq) => seq % 50 === 0);
    const reacted = seqs.filter((seq) => seq % 20 === 0);
    await Promise.all([
      stored.insertMany(seqs.map(documentAt), { ordered: false }),
      edited.length > 0 &&
        db.collection<{ _id: string }>("message_states").insertMany(
          edited.map((seq) => {
            const state = {
              conversationId,
              seq: BigInt(seq),
              editSeq: BigInt(seq + 1),
              editedTime: new Date(START_MS + seq),
            };
            return { _id: `${conversationId}:${seq}`, ...state, content };
          }),
        ),
      reacted.length > 0 &&
        db.collection<{ _id: string }>("reactions").insertMany(
          reacted.map((seq) => {
            const reaction = { conversationId, targetSeq: BigInt(seq), emoji: "👍", userId: bob, seq: BigInt(seq + 1) };
            return { _id: `${conversationId}:${seq}:👍:${bob}`, ...reaction, removed: false };
          }),
        ),
    ]);
  }
}

/** Appends the newest of them to the log and the tail. */
export async function fillNewest(bus: Bus, redis: Redis, db: Db, records: number): Promise<void> {
  const stream = streamOf(LogEntrySchema);
  await bus.ensureStream(LogEntrySchema);
  const key = keyOf(TailRecordSchema)({ conversation_id: conversationId });
  let sequence = 0;
  for (let seq = Math.max(1, records - NEWEST + 1); seq <= records; seq++) {
    const record = recordAt(seq);
    const entry = toBinary(LogEntrySchema, create(LogEntrySchema, { record }));
    const options = { expectStream: stream.name };
    ({ sequence } = await bus.publish(stream.subjectOf("conversation", { id: conversationId }), entry, options));
    const placed = { record: toBinary(RecordSchema, record), streamSequence: BigInt(sequence) };
    await redis.zadd(key, seq, Buffer.from(toBinary(TailRecordSchema, create(TailRecordSchema, placed))));
  }
  await db.collection<{ _id: string }>("conversation_heads").insertOne({
    _id: conversationId,
    headSeq: BigInt(records),
    streamSequence: BigInt(sequence),
    lastTime: new Date(START_MS + records),
    lastRecord: toBinary(RecordSchema, recordAt(records)),
  } as Document & { _id: string });
}

function documentAt(seq: number): Document & { _id: string } {
  const record = recordAt(seq);
  const { recordId, senderUserId } = record;
  return {
    _id: recordId,
    conversationId,
    seq: BigInt(seq),
    recordId,
    senderUserId,
    clientMessageId: `10000000-${seq}`,
    kind: "message",
    streamSequence: 0n,
    acceptedTime: new Date(START_MS + seq),
    record: toBinary(RecordSchema, record),
  };
}
