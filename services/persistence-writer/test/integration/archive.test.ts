import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { openMongo } from "@oceanchat/runtime/mongo";
import { silentLog } from "@oceanchat/runtime/testing";
import { type Db, MongoClient } from "mongodb";
import { writableEntry } from "../../src/core/entry.ts";
import { createWriterCore } from "../../src/core.ts";
import type { ArchiveStore } from "../../src/ports.ts";
import { openArchive } from "../../src/store/archive.ts";
import { openStore } from "../../src/store.ts";
import { inBlocks, inRecords, RULES, run } from "../support/archive.ts";
import { entry, id, T0 } from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

const MINUTE = 60_000;
const LATER = T0 + 3_600_000;

describe("the archive", () => {
  let servers: TestServers;
  let store: Awaited<ReturnType<typeof openStore>>;
  let archive: ArchiveStore & { close(): Promise<void> };
  let mongo: MongoClient;
  let db: Db;
  let conversations = 0;
  let records = 0;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    const options = { url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog };
    store = await openStore(options);
    archive = await openMongo(options, openArchive);
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true, promoteBuffers: true });
    db = mongo.db("oceanchat");
  });

  after(async () => {
    await mongo?.close();
    await archive?.close();
    await store?.close();
    await servers?.stop();
  });

  /** A conversation of so many records, one a second from T0. */
  async function conversationOf(length: number): Promise<string> {
    const conversationId = `g_${id(900_000 + ++conversations)}`;
    const batch = Array.from({ length }, (_, index) => {
      const made = entry(index + 1, 10_000 + ++records, { conversationId });
      return writableEntry(made, { streamSequence: BigInt(records), messageId: undefined });
    });
    await createWriterCore(store, noTail).write(batch);
    return conversationId;
  }

  const only = (conversationId: string) => ({ conversationId });

  it("copies full blocks of old records, and removes them a minute later", async () => {
    const conversationId = await conversationOf(47);
    const whole = await inRecords(db, conversationId);
    const report = await run(archive, { atMs: LATER, ...only(conversationId) });
    assert.deepEqual([report.blocks, report.records], [3, 47]);
    assert.ok(report.bytesAfter * 2 < report.bytesBefore, `${report.bytesAfter} of ${report.bytesBefore} bytes`);
    assert.deepEqual(await inBlocks(db, conversationId), whole);
    assert.deepEqual(await inRecords(db, conversationId), whole);
    await run(archive, { atMs: LATER + MINUTE - 1, ...only(conversationId) });
    assert.equal((await inRecords(db, conversationId)).size, 47);
    await run(archive, { atMs: LATER + MINUTE, ...only(conversationId) });
    assert.equal((await inRecords(db, conversationId)).size, 0);
    assert.deepEqual(await inBlocks(db, conversationId), whole);
  });

  it("leaves what is too young, and too little to be worth a block", async () => {
    const conversationId = await conversationOf(30);
    // 24 are older than the 25th.
    const first = await run(archive, { atMs: LATER, before: T0 + 25_000, ...only(conversationId) });
    assert.deepEqual([first.blocks, first.records], [1, 20]);
    const second = await run(archive, { atMs: LATER, before: T0 + 26_000, ...only(conversationId) });
    assert.deepEqual([second.blocks, second.records], [1, 5]);
    const third = await run(archive, { atMs: LATER, before: T0 + 30_000, ...only(conversationId) });
    assert.equal(third.blocks, 0);
    assert.equal((await inBlocks(db, conversationId)).size, 25);
  });

  it("cuts blocks by size too", async () => {
    const conversationId = await conversationOf(12);
    const small = { ...RULES, maxBytes: 300 };
    const { blocks } = await run(archive, { atMs: LATER, ...only(conversationId) }, small);
    assert.ok(blocks > 2, `${blocks} blocks`);
  });

  it("stops when it is told to, and goes on where it stopped", async () => {
    const here = await Promise.all([conversationOf(25), conversationOf(25), conversationOf(25)]);
    let after: string | undefined;
    let runs = 0;
    do {
      let blocks = 0;
      ({ next: after } = await run(archive, { atMs: LATER, after, isOver: () => ++blocks > 1 }));
      assert.ok(++runs < 50);
    } while (after !== undefined);
    for (const conversationId of here) assert.equal((await inBlocks(db, conversationId)).size, 25);
  });

  it("loses nothing whenever it is killed, nor beside another run", async function () {
    this.timeout(120_000);
    const conversationId = await conversationOf(45);
    const whole = await inRecords(db, conversationId);
    for (let steps = 1, atMs = LATER; ; steps++, atMs += MINUTE) {
      const killed = await run(diesAfter(archive, steps), { atMs, ...only(conversationId) }).then(
        () => false,
        () => true,
      );
      const found = new Map([...(await inRecords(db, conversationId)), ...(await inBlocks(db, conversationId))]);
      assert.deepEqual(new Map([...found].sort()), new Map([...whole].sort()), `after ${steps} steps`);
      if (!killed && (await inRecords(db, conversationId)).size === 0) break;
      assert.ok(steps < 60);
    }
    const another = await conversationOf(45);
    const request = { atMs: LATER, ...only(another) };
    await Promise.all([run(archive, request), run(archive, request), run(archive, request)]);
    await run(archive, { ...request, atMs: LATER + MINUTE });
    assert.equal((await inBlocks(db, another)).size, 45);
    assert.equal((await inRecords(db, another)).size, 0);
  });

  it("removes nothing that lies in no block", async () => {
    const conversationId = await conversationOf(25);
    await run(archive, { atMs: LATER, ...only(conversationId) });
    await db.collection("archive_blocks").deleteOne({ _id: `${conversationId}:21` as never });
    await assert.rejects(run(archive, { atMs: LATER + MINUTE, ...only(conversationId) }), /ends at 20, not 25/);
    assert.equal((await inRecords(db, conversationId)).size, 25);
    const next = await conversationOf(5);
    const conflicts: Error[] = [];
    await run(archive, { atMs: LATER + MINUTE, onConflict: (error) => conflicts.push(error) });
    assert.deepEqual([conflicts.length, (await inBlocks(db, next)).size], [1, 5]);
  });

  it("takes no block for its own that holds something else", async () => {
    const conversationId = await conversationOf(10);
    const other = await conversationOf(10);
    await run(archive, { atMs: LATER, ...only(other) });
    const block = await db.collection("archive_blocks").findOne({ _id: `${other}:1` as never });
    await db.collection("archive_blocks").insertOne({ ...block, _id: `${conversationId}:1` as never, conversationId });
    await assert.rejects(run(archive, { atMs: LATER, ...only(conversationId) }), /doesn't hold what it should/);
    assert.equal((await inRecords(db, conversationId)).size, 10);
  });
});

/** Does so many steps and no more. */
function diesAfter(store: ArchiveStore, steps: number): ArchiveStore {
  let left = steps;
  const live = <A extends unknown[], R>(step: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (left-- <= 0) throw new Error("killed");
      return step(...args);
    };
  };
  return {
    progressOf: live(store.progressOf),
    progressAfter: live(store.progressAfter),
    acceptedTimeOf: live(store.acceptedTimeOf),
    recordsAfter: live(store.recordsAfter),
    putBlock: live(store.putBlock),
    blocksEnd: live(store.blocksEnd),
    markArchived: live(store.markArchived),
    trim: live(store.trim),
  };
}
