import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ArchivedRecordsSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { createQueryCore, type QueryCore } from "../../src/core.ts";
import { patienceOf } from "../../src/patience.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { append, type Logged, store as storeRecords } from "../support/bed.ts";
import { edit, recall, recordOf } from "../support/model.ts";
import { lettingRead } from "../support/world.ts";

const alice = "00000000-0000-7000-8000-00000000000a";
const bob = "00000000-0000-7000-8000-00000000000b";
const conversationId = `d_${alice}_${bob}`;
const HEAD = 260;

describe("query and the archive", () => {
  let servers: TestServers;
  let host: RunningHost;
  let bus: Bus;
  let mongo: MongoClient;
  let store: MongoRecordStore;
  let logged: readonly Logged[] = [];
  let original: string[] = [];

  /** Of what is that old the log and the tail hold nothing any more. */
  const newCore = (): QueryCore =>
    createQueryCore({
      store,
      tail: { from: async () => [] },
      log: { last: async () => undefined, lastOf: async () => new Map(), from: async () => [] },
      peers: lettingRead([]),
      patience: patienceOf(20_000),
    });

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    host = testHost("query");
    bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    store = await openStore({ url: servers.mongodbUrl, database: "query", name: "test", log: host.log });
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    const bodies = new Map([
      [40, edit(20, "edited at 40")],
      [150, recall(60)],
      [210, edit(90, "edited at 210")],
      [250, recall(240)],
    ]);
    const records = Array.from({ length: HEAD }, (_, index) => {
      const sender = index % 3 === 0 ? alice : bob;
      return { ...recordOf(index + 1, sender, bodies.get(index + 1)), conversationId };
    });
    logged = await append(bus, records);
    await storeRecords(mongo.db("query"), logged);
    original = await everything(newCore());
  });
  after(async () => {
    await Promise.all([store?.close(), mongo?.close()]);
    await host?.stop();
    await servers?.stop();
  });

  /** What every call answers, over the borders of all blocks. */
  async function everything(core: QueryCore): Promise<string[]> {
    const answers: string[] = [];
    const text = (records: readonly LogRecord[]) => records.map((record) => toJsonString(RecordSchema, record)).join();
    for (const raw of [true, false]) {
      for (const seq of [0n, 50n, 99n, 100n, 101n, 190n, 200n, 201n, 260n]) {
        for (const place of [
          { afterSeq: seq, beforeSeq: undefined },
          { afterSeq: undefined, beforeSeq: seq },
        ]) {
          const page = await core.listRecords(alice, conversationId, { ...place, limit: 30, raw });
          answers.push(`${raw} ${page.firstSeq} ${page.lastSeq} ${page.headSeq} ${page.hasMore} ${text(page.records)}`);
        }
      }
    }
    for (const readSeq of [0n, 120n, 199n, 200n, 230n]) {
      await setRead(readSeq);
      const { unreadCount, unreadMentionCount } = (await core.getConversation(alice, conversationId)) as {
        unreadCount: number;
        unreadMentionCount: number;
      };
      answers.push(`${readSeq}: ${unreadCount} ${unreadMentionCount}`);
    }
    const receipts = await core.getReadReceipts(alice, conversationId, 30n);
    answers.push(`${receipts.readCount} of ${receipts.memberCount}`);
    return answers;
  }

  const setRead = (readSeq: bigint) =>
    mongo
      .db("query")
      .collection("read_cursors")
      .replaceOne(
        { _id: `${alice}:${conversationId}` as never },
        { userId: alice, conversationId, readSeq },
        { upsert: true },
      );

  /** As persistence-writer does. */
  async function archive(fromSeq: number, toSeq: number): Promise<void> {
    const records = logged
      .slice(fromSeq - 1, toSeq)
      .map(({ record, sequence }) => ({ record: toBinary(RecordSchema, record), streamSequence: BigInt(sequence) }));
    const data = zstdCompressSync(toBinary(ArchivedRecordsSchema, create(ArchivedRecordsSchema, { records })));
    const place = { conversationId, fromSeq: BigInt(fromSeq), toSeq: BigInt(toSeq) };
    const block = { _id: `${conversationId}:${fromSeq}` as never, ...place, messageCount: records.length, data };
    const db = mongo.db("query");
    await db.collection("archive_blocks").insertOne(block);
    const head = { _id: conversationId as never };
    await db.collection("conversation_heads").updateOne(head, { $max: { archivedSeq: BigInt(toSeq) } });
  }

  const remove = (toSeq: number) =>
    mongo
      .db("query")
      .collection("records")
      .deleteMany({ conversationId, seq: { $lte: BigInt(toSeq) } });

  for (const [what, step] of [
    ["copied and not removed", () => archive(1, 100)],
    ["removed in part", () => remove(70)],
    ["removed", () => remove(100)],
    ["in two blocks", async () => [await archive(101, 200), await remove(200)]],
    ["all that there is", async () => [await archive(201, HEAD), await remove(HEAD)]],
  ] as const) {
    it(`gives the same answers when old records are ${what}`, async () => {
      await step();
      assert.deepEqual(await everything(newCore()), original);
    });
  }
});
