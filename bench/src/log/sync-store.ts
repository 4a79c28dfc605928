import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Db, Document } from "mongodb";

const AT_ONCE = 500;
const stream = streamOf(LogEntrySchema);

const uuid = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
/** Who asks. */
export const alice = uuid(0);
/** The groups among that many of her conversations: every second one. */
export const groupsOf = (conversations: number): string[] =>
  Array.from({ length: Math.floor(conversations / 2) }, (_, n) => uuid(n * 2 + 1));
const conversationAt = (n: number): string => (n % 2 === 0 ? `d_${alice}_${uuid(n + 1)}` : `g_${uuid(n)}`);

interface Logged {
  readonly record: LogRecord;
  readonly sequence: number;
}

/** Says something in every conversation; the messages are in the log then. */
export async function sayInEach(bus: Bus, conversations: number, seq: number): Promise<Logged[]> {
  const logged: Logged[] = [];
  for (let first = 0; first < conversations; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, conversations - first) }, (_, n) => first + n);
    logged.push(...(await Promise.all(numbers.map((n) => say(bus, n, seq)))));
  }
  return logged;
}

async function say(bus: Bus, n: number, seq: number): Promise<Logged> {
  const conversationId = conversationAt(n);
  const text = { text: `message ${seq}, as long as messages are: some sixty characters` };
  const record = create(RecordSchema, {
    conversationId,
    seq: BigInt(seq),
    recordId: `${conversationId}:${seq}`,
    senderUserId: uuid(n + 1),
    acceptedTime: timestampFromDate(new Date()),
    body: { case: "message", value: { content: { kind: { case: "text", value: text } } } },
  });
  const entry = toBinary(LogEntrySchema, create(LogEntrySchema, { record }));
  const subject = stream.subjectOf("conversation", { id: conversationId });
  const { sequence } = await bus.publish(subject, entry, { expectStream: stream.name, timeoutMs: 30_000 });
  return { record, sequence };
}

/** Makes the indexes that the writer makes. */
export async function makeIndexes(db: Db): Promise<void> {
  await db.collection("records").createIndexes([{ name: "place", key: { conversationId: 1, seq: 1 }, unique: true }]);
  await db.collection("user_conversations").createIndexes([
    { name: "list", key: { userId: 1, lastTime: -1 } },
    { name: "moved", key: { userId: 1, streamSequence: 1 } },
  ]);
}

/** Stores messages with heads and lists, as the writer does. */
export async function storeAll(db: Db, logged: readonly Logged[]): Promise<void> {
  const lastTime = new Date();
  const collection = (name: string) => db.collection<Document & { _id: string }>(name);
  await collection("records").insertMany(logged.map(recordRow), { ordered: false });
  const heads = logged.map(({ record, sequence }) => ({
    updateOne: {
      filter: { _id: record.conversationId },
      update: {
        $set: {
          headSeq: record.seq,
          streamSequence: BigInt(sequence),
          lastTime,
          lastRecord: toBinary(RecordSchema, record),
        },
      },
      upsert: true,
    },
  }));
  await collection("conversation_heads").bulkWrite(heads, { ordered: false });
  const lists = logged.flatMap(({ record: { conversationId }, sequence }) =>
    conversationId.startsWith("g_")
      ? []
      : {
          updateOne: {
            filter: { _id: `${alice}:${conversationId}` },
            update: { $set: { userId: alice, conversationId, lastTime, streamSequence: BigInt(sequence) } },
            upsert: true,
          },
        },
  );
  await collection("user_conversations").bulkWrite(lists, { ordered: false });
}

function recordRow({ record, sequence }: Logged) {
  const { conversationId, seq, recordId, senderUserId } = record;
  return {
    _id: recordId,
    conversationId,
    seq,
    recordId,
    senderUserId,
    kind: "message",
    streamSequence: BigInt(sequence),
    record: toBinary(RecordSchema, record),
  };
}
