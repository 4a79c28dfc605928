import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { QueryMeshService } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { implement } from "@oceanchat/runtime/handlers";
import { streamOf } from "@oceanchat/runtime/streams";
import { openTestDoor, testHost } from "@oceanchat/runtime/testing";
import { createTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { type Db, type Document, MongoClient } from "mongodb";
import { pino } from "pino";
import { startAcking, untilAcked } from "./acknowledge.ts";
import { closedLoop } from "./closed-loop.ts";
import { DATABASE, startQuery } from "./query-process.ts";
import { makeIndexes } from "./sync-store.ts";

/*
 * How many devices per second learn what they have missed, when many come back at once: users with two direct conversations each,
 * one in flight per caller, asked of a query process through its mesh door as a router asks. Nothing missed; one message missed,
 * stored or in the log alone; and the first time. OCEANCHAT_STORE=fast for the fast store. Prints one line of JSON.
 * node bench/src/log/sync-storm.ts [--users 1000] [--callers 1,50,500] [--seconds 3]
 */

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "1000" },
    callers: { type: "string", default: "1,50,500" },
    seconds: { type: "string", default: "3" },
    /** Which of nothing, stored, inTheLog, first; one alone for a profile. */
    ways: { type: "string", default: "nothing,stored,inTheLog,first" },
  },
});
const users = Number(values.users);
const callers = values.callers.split(",").map(Number);
const time = { seconds: Number(values.seconds), warmUp: 1 };
const ways = values.ways.split(",");
const log = pino({ level: "warn" }, process.stderr);
const WRITER = "persistence-writer";
const MESSAGES = 5;
const AT_ONCE = 500;

const stream = streamOf(LogEntrySchema);
const uuid = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const conversationsOf = (user: number) => [1, 2].map((n) => `d_${uuid(user)}_${uuid(user + n * 1_000_000)}`);

interface Logged {
  readonly record: LogRecord;
  readonly sequence: number;
}

async function say(bus: Bus, conversationId: string, seq: number): Promise<Logged> {
  const text = { text: `message ${seq}, as long as messages are: some sixty characters` };
  const record = create(RecordSchema, {
    conversationId,
    seq: BigInt(seq),
    recordId: `${conversationId}:${seq}`,
    senderUserId: conversationId.split("_")[2] ?? "",
    acceptedTime: timestampFromDate(new Date()),
    body: { case: "message", value: { content: { kind: { case: "text", value: text } } } },
  });
  const data = toBinary(LogEntrySchema, create(LogEntrySchema, { record }));
  const subject = stream.subjectOf("conversation", { id: conversationId });
  const { sequence } = await bus.publish(subject, data, { expectStream: stream.name, timeoutMs: 30_000 });
  return { record, sequence };
}

async function sayAll(bus: Bus, conversationIds: readonly string[], seq: number): Promise<Logged[]> {
  const logged: Logged[] = [];
  for (let first = 0; first < conversationIds.length; first += AT_ONCE) {
    const some = conversationIds.slice(first, first + AT_ONCE);
    logged.push(...(await Promise.all(some.map((each) => say(bus, each, seq)))));
  }
  return logged;
}

/** Stores messages with heads, lists and what the users have read, as the writer does. */
async function storeAll(db: Db, logged: readonly Logged[], isNew: boolean): Promise<void> {
  const lastTime = new Date();
  const collection = (name: string) => db.collection<Document & { _id: string }>(name);
  const rows = logged.map(({ record, sequence }) => {
    const { conversationId, seq, recordId, senderUserId } = record;
    const bytes = toBinary(RecordSchema, record);
    const [, userId = ""] = conversationId.split("_");
    const place = { conversationId, streamSequence: BigInt(sequence), lastTime };
    return {
      record: { _id: recordId, ...place, seq, recordId, senderUserId, kind: "message", record: bytes },
      head: { _id: conversationId, ...place, headSeq: seq, lastRecord: bytes },
      listed: { _id: `${userId}:${conversationId}`, userId, ...place },
      cursor: { _id: `${userId}:${conversationId}`, userId, conversationId, readSeq: seq },
    };
  });
  await collection("records").insertMany(rows.map(({ record }) => record));
  if (isNew) await collection("read_cursors").insertMany(rows.map(({ cursor }) => cursor));
  const replaced = (one: Document & { _id: string }) => {
    const { _id, ...set } = one;
    return { updateOne: { filter: { _id }, update: { $set: set }, upsert: true } };
  };
  await collection("conversation_heads").bulkWrite(rows.map(({ head }) => replaced(head)));
  await collection("user_conversations").bulkWrite(rows.map(({ listed }) => replaced(listed)));
}

/** Acknowledges what is stored already, until query has noticed. */
async function acknowledge(bus: Bus): Promise<void> {
  const consumption = await startAcking(bus, WRITER);
  await untilAcked(bus, WRITER);
  await consumption.stop();
}

type Ask = (user: number, cursor: string) => Promise<{ cursor: string; found: number }>;

async function askOver(port: number): Promise<{ ask: Ask; close(): Promise<void> }> {
  const host = testHost("bench");
  const options = { timeoutMs: 20_000, maxInFlight: 4096 };
  const calls = await host.calls(QueryMeshService.method.dispatch, parseAddresses(`127.0.0.1:${port}`), options);
  return {
    async ask(user, cursor) {
      const command = { case: "sync" as const, value: { cursor, pageSize: 1000 } };
      const { result } = await calls.call({ userId: uuid(user), sessionId: "session", deviceId: "laptop", command });
      if (result.case !== "syncPage") throw new Error(`answered with ${result.case}`);
      return { cursor: result.value.cursor, found: result.value.conversations.length };
    },
    close: () => host.stop(),
  };
}

async function measure(ask: Ask, cursors: readonly string[], expected: number) {
  const figures: Record<string, unknown> = {};
  let turn = 0;
  for (const count of callers) {
    figures[count] = await closedLoop(count, time, async () => {
      const user = turn++ % users;
      const { found } = await ask(user, cursors[user] ?? "");
      if (found !== expected) throw new Error(`${found} conversations instead of ${expected}`);
    });
  }
  return figures;
}

async function measureAll(db: Db, bus: Bus, ask: Ask) {
  const everybody = Array.from({ length: users }, (_, n) => n);
  const figures: Record<string, unknown> = {};
  const first = everybody.map(() => "");
  if (ways.includes("first")) figures.first = await measure(ask, first, 2);
  const cursors: string[] = [];
  for (const user of everybody) cursors.push((await ask(user, "")).cursor);
  if (ways.includes("nothing")) figures.nothing = await measure(ask, cursors, 0);
  const missed = everybody.flatMap((user) => conversationsOf(user).slice(0, 1));
  await storeAll(db, await sayAll(bus, missed, MESSAGES + 1), false);
  await acknowledge(bus);
  if (ways.includes("stored")) figures.stored = await measure(ask, cursors, 1);
  await sayAll(bus, missed, MESSAGES + 2);
  if (ways.includes("inTheLog")) figures.inTheLog = await measure(ask, cursors, 1);
  return figures;
}

const servers = await startServers({ nats: true, mongo: true, valkey: true });
const mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
const bus = await connectBus({ url: servers.natsUrl, name: "bench", log, onClosed: (error) => log.error(error) });
const groups = implement(GroupMeshService, {
  listGroupIdsOfUsers: ({ users }) => ({ users: users.map(({ userId }) => ({ userId, memberships: [] })) }),
});
const door = await openTestDoor([createTestIssuer().auth, groups]);
try {
  await bus.ensureStream(LogEntrySchema);
  await bus.ensureStream(DeadLetterSchema);
  await bus.ensureConsumer(LogEntrySchema, { name: WRITER, ackWaitMs: 60_000, maxAckPending: 20_000, maxDeliver: -1 });
  const db = mongo.db(DATABASE);
  await makeIndexes(db);
  const all = Array.from({ length: users }, (_, n) => conversationsOf(n)).flat();
  for (let seq = 1; seq < MESSAGES; seq++) await sayAll(bus, all, seq);
  await storeAll(db, await sayAll(bus, all, MESSAGES), true);
  await acknowledge(bus);
  const query = await startQuery(servers, door.port);
  const { ask, close } = await askOver(query.meshPort);
  try {
    const figures = await measureAll(db, bus, ask);
    const store = process.env.OCEANCHAT_STORE ?? "embedded";
    process.stdout.write(`${JSON.stringify({ bench: "sync-storm", store, users, load: loadavg()[0], ...figures })}\n`);
  } finally {
    await close();
    await query.end();
  }
} finally {
  await door.close(0);
  await bus.close();
  await mongo.close();
  await servers.stop();
}
