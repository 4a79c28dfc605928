import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { openRelay } from "@oceanchat/runtime/testing-relay";
import { writableEntry } from "../../src/core/entry.ts";
import { createWriterCore, type WriterCore } from "../../src/core.ts";
import { openStore } from "../../src/store.ts";
import { DIRECT, entry, id } from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

describe("MongoStore", () => {
  let servers: TestServers;
  let store: Awaited<ReturnType<typeof openStore>>;
  let core: WriterCore;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await openStore({ url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog });
    await store.createIndexes(); // as the next process does at its start
    core = createWriterCore(store, noTail);
  });

  after(async () => {
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
    this.timeout(30_000);
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

  it("stores a record once when several writers have it", async () => {
    const batch = Array.from({ length: 20 }, (_, n) => writable(100 + n, 100 + n));
    const written = await Promise.allSettled([core.write(batch), core.write(batch), core.write(batch)]);
    assert.ok(written.some(({ status }) => status === "fulfilled"));
    for (const { row } of batch) assert.equal(await store.recordAt(DIRECT, row.seq), row.recordId);
  });
});
