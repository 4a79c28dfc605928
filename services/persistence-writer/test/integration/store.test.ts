import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { openRelay } from "@oceanchat/runtime/testing-relay";
import { Binary, type Db, MongoClient } from "mongodb";
import { writableEntry } from "../../src/core/entry.ts";
import { headsOf } from "../../src/core/heads.ts";
import { createWriterCore, type WriterCore } from "../../src/core.ts";
import { openStore } from "../../src/store.ts";
import { DIRECT, entry, id } from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

describe("MongoStore", () => {
  let servers: TestServers;
  let store: Awaited<ReturnType<typeof openStore>>;
  let core: WriterCore;
  let client: MongoClient;
  let db: Db;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await openStore({ url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog });
    await store.createIndexes(); // as the next process does at its start
    core = createWriterCore(store, noTail);
    client = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    db = client.db("oceanchat");
  });

  after(async () => {
    await client?.close();
    await store?.close();
    await servers?.stop();
  });

  const writable = (...args: Parameters<typeof entry>) =>
    writableEntry(entry(...args), { streamSequence: BigInt(args[1]) + 100n, messageId: undefined });
  const kinds = async (...batch: ReturnType<typeof writable>[]) => (await core.write(batch)).map(({ kind }) => kind);

  it("answers for each record of a mixed batch", async () => {
    assert.deepEqual(await kinds(writable(1, 10), writable(2, 11)), ["stored", "stored"]);
    const usedKey = entry(1, 10).record?.body ?? { case: undefined };
    const mixed = [
      writable(1, 10),
      writable(3, 12, { body: usedKey }),
      writable(2, 99),
      writable(4, 13),
      writable(9, 11),
    ];
    assert.deepEqual(await kinds(...mixed), ["stored", "repeated", "contradicted", "stored", "contradicted"]);
    assert.deepEqual(await Promise.all([1n, 2n, 3n, 4n, 9n].map((seq) => store.recordAt(DIRECT, seq))), [
      id(10),
      id(11),
      id(12),
      id(13),
      undefined,
    ]);
  });

  it("says where records lie", async () => {
    assert.deepEqual(await store.placesOf([id(10), id(77)]), [{ recordId: id(10), conversationId: DIRECT, seq: 1n }]);
  });

  it("takes records of one sender without a key", async () => {
    const recall = { body: { case: "recall", value: { targetSeq: 1n } } } as const;
    assert.deepEqual(await kinds(writable(5, 20, recall), writable(6, 21, recall)), ["stored", "stored"]);
  });

  it("does not take silence for success", async function () {
    this.timeout(60_000);
    const relay = await openRelay(servers.mongodbUrl);
    const cut = await openStore({ url: relay.url, database: "oceanchat", name: "test", log: silentLog });
    try {
      relay.cut();
      await assert.rejects(createWriterCore(cut, noTail).write([writable(50, 50)]));
      assert.equal(await store.recordAt(DIRECT, 50n), undefined);
    } finally {
      await cut.close();
      await relay.close();
    }
  });

  it("moves heads and lists of many conversations at once, those that are new among them, and never back", async () => {
    const conversation = (n: number) => `d_${id(3000 + n)}_${id(4000 + n)}`;
    const batch = (seq: number, conversations: readonly number[]) =>
      conversations.map((n) => writable(seq, 10_000 * seq + n, { conversationId: conversation(n) }));
    const all = Array.from({ length: 150 }, (_, n) => n);
    await core.write(batch(2, all.slice(0, 100)));
    await core.write([...batch(3, all.slice(50)), ...batch(1, all)]);
    const heads = await db.collection("conversation_heads").find().toArray();
    const lists = await db.collection("user_conversations").find().toArray();
    for (const n of all) {
      const seq = n < 50 ? 2 : 3;
      const row = writable(seq, 10_000 * seq + n, { conversationId: conversation(n) }).row;
      const { streamSequence, acceptedTime: lastTime } = row;
      assert.deepEqual(
        heads.find(({ _id }) => String(_id) === conversation(n)),
        { _id: conversation(n), headSeq: BigInt(seq), streamSequence, lastTime, lastRecord: new Binary(row.record) },
      );
      for (const userId of [id(3000 + n), id(4000 + n)]) {
        const conversationId = conversation(n);
        assert.deepEqual(
          lists.find((each) => each.userId === userId),
          { _id: `${userId}:${conversationId}`, userId, conversationId, lastTime, streamSequence },
        );
      }
    }
  });

  it("moves heads that several writers make at the same time to the furthest", async () => {
    for (let round = 0; round < 10; round++) {
      const ids = Array.from({ length: 60 }, (_, n) => `g_${id(5000 + 100 * round + n)}`);
      const headsAt = (seq: number) =>
        headsOf(ids.map((conversationId, n) => writable(seq, 1000 * seq + n, { conversationId })));
      await Promise.all([1, 3, 2].map((seq) => store.moveHeads(headsAt(seq))));
      const heads = db.collection<{ _id: string; headSeq: bigint }>("conversation_heads").find({ _id: { $in: ids } });
      assert.deepEqual(
        (await heads.toArray()).map(({ headSeq }) => headSeq),
        ids.map(() => 3n),
      );
    }
  });

  it("stores a record once when several writers have it", async () => {
    const batch = Array.from({ length: 20 }, (_, n) => writable(100 + n, 100 + n));
    const written = await Promise.allSettled([core.write(batch), core.write(batch), core.write(batch)]);
    assert.ok(written.some(({ status }) => status === "fulfilled"));
    for (const { row } of batch) assert.equal(await store.recordAt(DIRECT, row.seq), row.recordId);
  });
});
