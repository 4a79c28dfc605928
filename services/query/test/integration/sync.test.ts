import assert from "node:assert/strict";
import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus, Consumption } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { openLog } from "../../src/bus.ts";
import { type SyncPage, sync } from "../../src/core/sync.ts";
import { createQueryCore } from "../../src/core.ts";
import { patienceOf } from "../../src/patience.ts";
import type { Membership } from "../../src/ports/moves.ts";
import { followLog } from "../../src/recent.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { openTail, type RedisTail } from "../../src/tail.ts";
import { append, store as storeRecords } from "../support/bed.ts";
import { said } from "../support/model.ts";
import { lettingRead } from "../support/world.ts";

const uuid = (n: number) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
const alice = uuid(10);
const directWith = (n: number) => `d_${alice}_${uuid(1000 + n)}`;
const group = uuid(0xf1);
const HOUR = 3_600_000;

describe("sync over the message store and the log", function () {
  this.timeout(120_000);
  let servers: TestServers;
  let host: RunningHost;
  let bus: Bus;
  let mongo: MongoClient;
  let store: MongoRecordStore;
  let tail: RedisTail;
  let recent: ReturnType<typeof followLog>;
  let writer: Consumption | undefined;
  let memberships: Membership[] = [];
  const seqs = new Map<string, number>();
  let nowMs = Date.now();

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true, valkey: true });
    host = testHost("query");
    bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    await bus.ensureStream(DeadLetterSchema);
    store = await openStore({ url: servers.mongodbUrl, database: "query", name: "test", log: host.log });
    tail = openTail(servers.redisUrl, host.log);
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    recent = followLog(bus, { maxLogs: 10_000, waitMs: 20_000, floorMs: 50, log: host.log });
    await startWriter();
  });

  after(async () => {
    await writer?.stop();
    await recent?.stop();
    await store?.close();
    await tail?.close();
    await mongo?.close();
    await host?.stop();
    await servers?.stop();
  });

  async function startWriter() {
    const consumer = "persistence-writer";
    await bus.ensureConsumer(LogEntrySchema, { name: consumer, ackWaitMs: 5000, maxAckPending: 5000, maxDeliver: -1 });
    writer = await bus.consume({
      stream: "LOG",
      consumer,
      lanes: 1,
      laneOf: () => 0,
      maxBatch: 500,
      maxInFlight: 2000,
      handle: async (batch) => {
        const logged = batch.flatMap(({ data, sequence }) => {
          const { record } = fromBinary(LogEntrySchema, data);
          return record === undefined ? [] : [{ record, sequence }];
        });
        await storeRecords(mongo.db("query"), logged);
      },
    });
  }

  /** Until everything is stored and Recent knows it. */
  async function written() {
    const { lastSequence } = await bus.position("LOG");
    while (((await bus.ackFloor("LOG", "persistence-writer")) ?? 0) < lastSequence) await turn();
    while ((await recent.caughtUp()).storedUpTo() < lastSequence) await turn();
  }
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

  /** The next record of a log. */
  function next(conversationId: string): LogRecord {
    const seq = (seqs.get(conversationId) ?? 0) + 1;
    seqs.set(conversationId, seq);
    const acceptedTime = timestampFromMs(nowMs);
    const recordId = `${conversationId} ${seq}`;
    const body = said(`${seq}`);
    return create(RecordSchema, {
      conversationId,
      seq: BigInt(seq),
      recordId,
      senderUserId: uuid(1),
      acceptedTime,
      body,
    });
  }
  const say = (...ids: string[]) => append(bus, ids.map(next));

  const ask = (cursor: string, pageSize = 1000): Promise<SyncPage> => {
    const log = openLog(bus);
    const reading = {
      store,
      tail,
      log,
      peers: lettingRead([{ fromSeq: 1n, toSeq: undefined }]),
      patience: patienceOf(2000),
    };
    const { describe } = createQueryCore(reading);
    const peers = { memberships: async () => memberships };
    const sources = {
      ...reading,
      peers,
      moves: store,
      recent,
      describe,
      now: () => nowMs,
      cursorMaxAgeMs: 90 * 24 * HOUR,
    };
    return sync(sources, alice, { cursor, pageSize, maxBytes: 1_000_000 });
  };
  const shown = ({ conversations }: SyncPage) =>
    conversations.map(({ conversationId, headSeq, lastRecord }) => [
      conversationId,
      Number(headSeq),
      Number(lastRecord?.seq),
    ]);

  it("shows what was accepted just before, written or not, and a brand-new conversation", async () => {
    await say(directWith(1), directWith(2), directWith(1));
    const first = await ask("");
    assert.deepEqual(shown(first), [
      [directWith(1), 2, 2],
      [directWith(2), 1, 1],
    ]);
    assert.equal(first.startAfresh, true);
    await written();
    assert.deepEqual(shown(await ask("")), shown(first), "the same from the store");
    nowMs += 2 * HOUR;
    assert.deepEqual(shown(await ask((await ask(first.cursor)).cursor)), []);
  });

  it("shows everything that was accepted while the writer stands still, and the same when it has caught up", async () => {
    await written();
    const { cursor } = await ask("");
    await writer?.stop();
    memberships = [{ groupId: group, fromSeq: 1n, toSeq: undefined, joinTimeMs: nowMs }];
    nowMs += 2 * HOUR;
    await say(directWith(2), directWith(3), `g_${group}`, directWith(2));
    const behind = await ask(cursor);
    assert.deepEqual(shown(behind), [
      [directWith(2), 3, 3],
      [`g_${group}`, 1, 1],
      [directWith(3), 1, 1],
    ]);
    await startWriter();
    await written();
    assert.deepEqual(shown(await ask(cursor)), shown(behind));
  });

  it("begins anew after NATS was killed", async () => {
    const { cursor } = await ask("");
    nowMs += 2 * HOUR;
    await servers.kill("nats");
    await assert.rejects(ask(cursor), { reason: "ERROR_REASON_UNAVAILABLE" });
    await servers.untilReady("nats");
    while (!bus.connected()) await turn();
    await say(directWith(4));
    assert.deepEqual(shown(await ask(cursor)), [[directWith(4), 1, 1]]);
  });

  it("loses none of 100 conversations that move while they are asked for page by page", async () => {
    await written();
    const { cursor } = await ask("");
    nowMs += 2 * HOUR;
    const ids = Array.from({ length: 100 }, (_, n) => directWith(100 + n));
    await say(...ids);
    await written();
    const seen = new Set<string>();
    let page: SyncPage = { conversations: [], userRecords: [], cursor, hasMore: true, startAfresh: false };
    for (let pages = 0; page.hasMore; pages++) {
      assert.ok(pages < 30, "a round comes to an end");
      // Those that would come last, too.
      const moving = ids.slice(pages * 4, pages * 4 + 4).map((_, n) => ids[(pages * 37 + n * 29) % ids.length] ?? "");
      const before = page.cursor;
      [page] = await Promise.all([ask(before, 15), say(...moving)]);
      for (const { conversationId = "" } of page.conversations) seen.add(conversationId);
    }
    assert.deepEqual(
      ids.filter((id) => !seen.has(id)),
      [],
    );
  });

  it("gives the user's own records from the store and the log", async () => {
    await written();
    const { cursor } = await ask("");
    await say(`u_${alice}`, `u_${alice}`);
    await written();
    await say(`u_${alice}`);
    const { userRecords } = await ask(cursor);
    assert.deepEqual(
      userRecords.map(({ seq }) => seq),
      [1n, 2n, 3n],
    );
  });

  it("gives documents of older writers, which say no place in the stream, when everything is asked for", async () => {
    await written();
    const { db } = { db: mongo.db("query") };
    const old = [directWith(900), directWith(901), directWith(902)];
    for (const conversationId of old) {
      const record = next(conversationId);
      await storeRecords(db, [{ record, sequence: 1 }]);
      await db.collection("user_conversations").updateOne({ conversationId }, { $unset: { streamSequence: "" } });
    }
    const seen: string[] = [];
    let page = await ask("", 100);
    seen.push(...page.conversations.map(({ conversationId = "" }) => conversationId));
    while (page.hasMore) {
      page = await ask(page.cursor, 2);
      seen.push(...page.conversations.map(({ conversationId = "" }) => conversationId));
    }
    assert.deepEqual(seen.slice(-3), old.toReversed());
    assert.equal(new Set(seen).size, seen.length);
  });

  it("tells many who ask at once what each has missed, however much one of them has", async () => {
    const users = [20, 21, 22, 23].map(uuid);
    const conversation = (userId: string, n: number) => `d_${userId}_${uuid(5000 + n)}`;
    const all = users.flatMap((userId, index) =>
      Array.from({ length: index === 1 ? 100 : index }, (_, n) => conversation(userId, n)),
    );
    await say(...all);
    await written();
    const { lastSequence } = await recent.position();
    const asked = users.flatMap((userId) =>
      [undefined, { streamSequence: lastSequence - 3, timeMs: 0 }, { streamSequence: lastSequence, timeMs: 0 }].map(
        (since) => ({ userId, since }),
      ),
    );
    const idsOf = async ({ userId, since }: (typeof asked)[number]) =>
      (await store.directMoved(userId, since, undefined, 1000)).map(({ logId }) => logId);
    const apart: string[][] = [];
    for (const each of asked) apart.push(await idsOf(each));
    assert.deepEqual(await Promise.all(asked.map(idsOf)), apart);
    const [, , , many, , , two, , , three, newest, none] = apart.map((ids) => ids.length);
    assert.deepEqual([many, two, three, newest, none], [100, 2, 3, 3, 0]);
    assert.deepEqual(
      apart[9],
      [2, 1, 0].map((n) => conversation(uuid(23), n)),
    );
    const newestTwo = await store.directMoved(uuid(23), undefined, undefined, 2);
    assert.deepEqual(
      newestTwo.map(({ logId }) => logId),
      apart[9]?.slice(0, 2),
    );
  });
});
