import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { create, getOption, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ArchivedRecordsSchema, StoredArchiveBlockSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { v7 } from "uuid";
import { type MongoMessageStore, openStore } from "../../src/store.ts";

const DAY_MS = 86_400_000;
const conversationId = `g_${v7()}`;

describe("message and the archive", () => {
  let servers: TestServers;
  let client: MongoClient;
  let store: MongoMessageStore;
  const records: Record[] = [];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    client = await MongoClient.connect(servers.mongodbUrl, { useBigInt64: true });
    store = await openStore({ url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog });
    const first = Date.now() - 100 * DAY_MS;
    for (let seq = 1; seq <= 300; seq++) {
      const msecs = first + seq * 60_000;
      const record = create(RecordSchema, { conversationId, seq: BigInt(seq), recordId: v7({ msecs }) });
      record.acceptedTime = timestampFromMs(msecs + 500);
      records.push(record);
    }
    await archive(records.slice(0, 100), first);
    await archive(records.slice(100, 200), first);
    await archive(records.slice(200), first);
  });
  after(async () => {
    await Promise.all([store?.close(), client?.close()]);
    await servers?.stop();
  });

  /** As persistence-writer does. */
  async function archive(block: readonly Record[], firstMs: number): Promise<void> {
    const [fromSeq = 0n, toSeq = 0n] = [block[0]?.seq, block.at(-1)?.seq];
    const archived = create(ArchivedRecordsSchema, {
      records: block.map((record) => ({ record: toBinary(RecordSchema, record), streamSequence: record.seq })),
    });
    const timeOf = (seq: bigint) => new Date(firstMs + Number(seq) * 60_000 + 500);
    await client
      .db("oceanchat")
      .collection(getOption(StoredArchiveBlockSchema, collection))
      .insertOne({
        ...{ _id: `${conversationId}:${fromSeq}` as never, conversationId, fromSeq, toSeq },
        ...{ fromTime: timeOf(fromSeq), toTime: timeOf(toSeq), messageCount: block.length },
        data: zstdCompressSync(toBinary(ArchivedRecordsSchema, archived)),
      });
  }

  it("finds records by their place, wherever in a block they lie", async () => {
    for (const seq of [1n, 100n, 101n, 150n, 200n, 201n, 300n]) {
      assert.equal((await store.at(conversationId, seq))?.recordId, records[Number(seq) - 1]?.recordId);
    }
    assert.equal(await store.at(conversationId, 301n), undefined);
    assert.equal(await store.at(`g_${v7()}`, 1n), undefined);
  });

  it("finds records by their id, in their own log alone", async () => {
    for (const index of [0, 99, 100, 250, 299]) {
      const recordId = records[index]?.recordId ?? "";
      assert.equal((await store.record(conversationId, recordId))?.seq, BigInt(index + 1));
      assert.equal(await store.record(`g_${v7()}`, recordId), undefined);
    }
    assert.equal(await store.record(conversationId, v7({ msecs: Date.now() - 50 * DAY_MS })), undefined);
    assert.equal(await store.record(conversationId, v7()), undefined);
  });
});
