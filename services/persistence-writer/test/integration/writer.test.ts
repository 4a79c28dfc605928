import assert from "node:assert/strict";
import { fromBinary } from "@bufbuild/protobuf";
import { type DeadLetter, DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { keyOf } from "@oceanchat/runtime/declared-names";
import { streamOf } from "@oceanchat/runtime/streams";
import { silentLog } from "@oceanchat/runtime/testing";
import { Redis } from "ioredis";
import { type Db, MongoClient } from "mongodb";
import { ALICE, BOB, DIRECT, entry, GROUP, id } from "../support/entries.ts";
import { WriterProcess } from "../support/writer-process.ts";
import { WrittenLog } from "../support/written-log.ts";

const stream = streamOf(LogEntrySchema);
/** Records that wait for a writer at most while it is waited for. */
const AHEAD = 2_000;

describe("persistence-writer", () => {
  let servers: TestServers;
  let bus: Bus;
  let client: MongoClient;
  let db: Db;
  let writer: WriterProcess | undefined;
  let env: Record<string, string>;
  let log: WrittenLog;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true, valkey: true });
    env = {
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
      OCEANCHAT_REDIS_URL: servers.redisUrl,
    };
    bus = await connectBus({
      url: servers.natsUrl,
      name: "test",
      log: silentLog,
      onClosed: (error) => assert.fail(error),
    });
    await bus.ensureStream(LogEntrySchema);
    client = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    db = client.db("oceanchat");
    log = new WrittenLog(bus, db);
  });

  after(async function () {
    this.timeout(60_000);
    await writer?.end("SIGKILL");
    await client?.close();
    await bus?.close();
    await servers?.stop();
  });

  afterEach(async () => {
    await writer?.end("SIGTERM");
  });

  const append = (logEntry: LogEntry) => log.append(logEntry);
  const untilStored = (conversations: readonly string[], count: number) =>
    log.untilStored(conversations, count, () => writer?.log() ?? "");

  it("stores each record once, whenever it is killed", async function () {
    this.timeout(120_000);
    const conversations = Array.from({ length: 20 }, (_, n) => `d_${id(100 + n)}_${id(200 + n)}`);
    let head = 0;
    for (let round = 0; round < 2; round++) {
      const stored = await log.storedOf(conversations);
      writer = await WriterProcess.start(env);
      let killed = false;
      const appending = async () => {
        while (!killed) {
          // Always ahead of the writer, but never by more than it catches up with on a slow machine.
          if (20 * head - (await log.storedOf(conversations)) > AHEAD) continue;
          await log.appendMany(conversations, 10, head + 1);
          head += 10;
        }
      };
      const appended = appending();
      try {
        await untilStored(conversations, stored + 1);
        await writer.end("SIGKILL");
      } finally {
        killed = true;
        await appended;
      }
      assert.ok((await log.storedOf(conversations)) < 20 * head, "it was killed in the middle");
    }
    const last = await log.appendMany(conversations, 40, head + 1);
    writer = await WriterProcess.start(env);
    await untilStored(conversations, 20 * (head + 40));
    assert.equal(await writer.end("SIGTERM"), 0); // what was written is acknowledged, heads moved
    await log.assertGapless(conversations, head + 40, last);
    assert.equal(await db.collection("user_conversations").countDocuments({ conversationId: conversations[0] }), 2);
  });

  it("is safe beside another one, which is killed", async function () {
    this.timeout(120_000);
    const conversations = Array.from({ length: 20 }, (_, n) => `g_${id(700 + n)}`);
    writer = await WriterProcess.start(env);
    const other = await WriterProcess.start(env);
    try {
      await log.appendMany(conversations, 60, 1);
      await other.end("SIGKILL");
      const last = await log.appendMany(conversations, 40, 61);
      await untilStored(conversations, 2000);
      assert.equal(await writer.end("SIGTERM"), 0);
      await log.assertGapless(conversations, 100, last);
    } finally {
      await other.end("SIGKILL");
    }
  });

  it("keeps what the proto says, whole", async function () {
    this.timeout(120_000);
    writer = await WriterProcess.start(env);
    const logEntry = entry(1, 50);
    const sequence = await append(logEntry);
    await append(entry(1, 51, { conversationId: GROUP, body: { case: "recall", value: { targetSeq: 1n } } }));
    await untilStored([DIRECT, GROUP], 2);
    assert.equal(await writer.end("SIGTERM"), 0); // the lists come after the records
    const row = await db.collection("records").findOne({ conversationId: DIRECT, seq: 1n });
    assert.ok(row);
    const { record, ...rest } = row;
    assert.deepEqual(rest, {
      _id: id(50),
      conversationId: DIRECT,
      seq: 1n,
      recordId: id(50),
      senderUserId: ALICE,
      clientMessageId: id(1_000_050),
      kind: "message",
      streamSequence: BigInt(sequence),
      acceptedTime: new Date(Number(logEntry.record?.acceptedTime?.seconds) * 1000),
    });
    assert.deepEqual(fromBinary(RecordSchema, record.buffer), logEntry.record);
    const other = await db.collection("records").findOne({ conversationId: GROUP, seq: 1n });
    assert.equal(other && "clientMessageId" in other, false);
    assert.equal(await db.collection("user_conversations").countDocuments({ userId: { $in: [ALICE, BOB] } }), 2);
    assert.equal(await db.collection("user_conversations").countDocuments({ conversationId: GROUP }), 0);
  });

  it("sends poison to the dead and stores what comes after", async function () {
    this.timeout(120_000);
    writer = await WriterProcess.start(env);
    const conversationId = `d_${id(500)}_${id(501)}`;
    const subject = stream.subjectOf("conversation", { id: conversationId });
    const poison = new Uint8Array([0xff, 0xff, 0xff]);
    const { sequence } = await bus.publish(subject, poison, { expectStream: "LOG" });
    await append(entry(1, 60, { conversationId }));
    await append(entry(1, 666, { conversationId })); // another record in a place that is taken
    await append(entry(2, 61, { conversationId }));
    await untilStored([conversationId], 2);
    let letters: DeadLetter[] = [];
    while (letters.length < 2) {
      const found = await bus.bySubjectFrom("DEAD", "dead.LOG", 1, 10);
      letters = found.map(({ data }) => fromBinary(DeadLetterSchema, data));
    }
    assert.equal(letters[0]?.sequence, BigInt(sequence));
    assert.deepEqual(new Uint8Array(letters[0].payload), poison);
    assert.match(letters[1]?.reason ?? "", /lies there already/);
    await writer.end("SIGTERM");
    assert.match(writer.log(), /THE LOG CONTRADICTS THE STORE/);
    assert.equal((await db.collection("records").findOne({ conversationId, seq: 1n }))?.recordId, id(60));
  });

  it("catches up when the store was away", async function () {
    this.timeout(120_000);
    const conversations = Array.from({ length: 5 }, (_, n) => `d_${id(300 + n)}_${id(400 + n)}`);
    writer = await WriterProcess.start(env);
    await log.appendMany(conversations, 20, 1);
    await servers.kill("mongodb");
    const last = await log.appendMany(conversations, 80, 21);
    await servers.untilReady("mongodb");
    await untilStored(conversations, 500);
    assert.equal(await writer?.end("SIGTERM"), 0);
    await log.assertGapless(conversations, 100, last);
  });

  it("keeps the newest records in Redis too, and does without it", async function () {
    this.timeout(180_000);
    const conversationId = `d_${id(600)}_${id(601)}`;
    const redis = new Redis(servers.redisUrl);
    redis.on("error", () => {}); // it is killed below
    try {
      let last: ReadonlyMap<string, number>;
      let count = 0;
      do {
        // A writer that had no time for Redis' answer, on a busy machine, leaves records out: the next ones take their places.
        assert.ok(count < 600, writer?.log());
        writer = await WriterProcess.start(env);
        last = await log.appendMany([conversationId], 120, count + 1);
        count += 120;
        await untilStored([conversationId], count);
        assert.equal(await writer.end("SIGTERM"), 0); // the tail comes after the records
      } while (/the tail is not written|redis is not there yet/.test(writer.log()));
      const key = keyOf(TailRecordSchema)({ conversation_id: conversationId });
      const members = (await redis.zrangeBuffer(key, "0", "-1")).map((each) => fromBinary(TailRecordSchema, each));
      const rows = await db.collection("records").find({ conversationId }).sort({ seq: 1 }).toArray();
      assert.deepEqual(
        members.map(({ record, streamSequence }) => [Buffer.from(record).toString("hex"), streamSequence]),
        rows.slice(-100).map(({ record, streamSequence }) => [record.toString("hex"), streamSequence]),
      );
      assert.equal(rows.at(-1)?.streamSequence, BigInt(last.get(conversationId) ?? 0));
      writer = await WriterProcess.start(env);
      await servers.kill("valkey");
      await log.appendMany([conversationId], 50, count + 1);
      await untilStored([conversationId], count + 50);
    } finally {
      redis.disconnect();
      await servers.untilReady("valkey");
    }
  });
});
