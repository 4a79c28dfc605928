import assert from "node:assert/strict";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { openRelay, type Relay } from "@oceanchat/runtime/testing-relay";
import { Redis } from "ioredis";
import { MongoClient } from "mongodb";
import { openLog } from "../../src/bus.ts";
import { createQueryCore, type QueryCore } from "../../src/core.ts";
import { patienceOf } from "../../src/patience.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { openTail, type RedisTail } from "../../src/tail.ts";
import { append, cache, type Logged, store as storeRecords } from "../support/bed.ts";
import { edit, react, recall, recordOf } from "../support/model.ts";
import { lettingRead } from "../support/world.ts";

const alice = "00000000-0000-7000-8000-00000000000a";
const bob = "00000000-0000-7000-8000-00000000000b";
const conversationId = `d_${alice}_${bob}`;
/** Less than a store takes to be given up by its driver, and more than a page takes on a busy machine. */
const MOMENT_MS = 4_500;
/** Of this one the log holds nothing any more. */
const old = `d_${alice}_00000000-0000-7000-8000-00000000000c`;
const newest = { afterSeq: undefined, beforeSeq: undefined, limit: 50, raw: false };

const intervals = [{ fromSeq: 1n, toSeq: undefined }];
const ahead = new Set([conversationId]);

describe("query over all tiers", () => {
  let servers: TestServers;
  let host: RunningHost;
  let bus: Bus;
  let mongo: MongoClient;
  let redis: Redis;
  let relay: Relay;
  let store: MongoRecordStore;
  let tail: RedisTail;
  let logged: readonly Logged[] = [];

  /** As a process that has just started: what it has learned about the store is gone. */
  const newCore = (): QueryCore => {
    const peers = lettingRead([]);
    return createQueryCore({ store, tail, log: openLog(bus), peers, patience: patienceOf(300) });
  };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true, valkey: true });
    host = testHost("query");
    bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    relay = await openRelay(servers.mongodbUrl);
    store = await openStore({ url: relay.url, database: "query", name: "test", log: host.log });
    tail = openTail(servers.redisUrl, host.log);
    redis = new Redis(servers.redisUrl);
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    const bodies = new Map([
      [100, edit(80, "edited at 100")],
      [121, recall(110)],
      [122, edit(60, "edited at 122")],
      [129, edit(125, "edited at 129")],
      [130, react(126, "👍")],
    ]);
    const records = Array.from({ length: 130 }, (_, n) =>
      recordOf(n + 1, n % 2 === 0 ? alice : bob, bodies.get(n + 1)),
    );
    logged = await append(
      bus,
      records.map((record) => ({ ...record, conversationId })),
    );
    await storeRecords(mongo.db("query"), logged.slice(0, 120));
    await cache(redis, logged.slice(30, 120));
    const before = Array.from({ length: 10 }, (_, n) => ({ ...recordOf(n + 1, alice), conversationId: old }));
    await storeRecords(
      mongo.db("query"),
      before.map((record, n) => ({ record, sequence: n + 1 })),
    );
  });

  after(async () => {
    redis?.disconnect();
    tail?.close();
    await store?.close();
    await relay?.close();
    await mongo?.close();
    await host?.stop();
    await servers?.stop();
  });

  /** Everything that can be read, by a process that has just started and by one that has read it before. */
  async function readAll() {
    const core = newCore();
    const answers: unknown[] = [];
    for (let round = 0; round < 2; round++) {
      for (const raw of [false, true]) {
        answers.push(await core.listRecords(alice, conversationId, { ...newest, raw }));
        answers.push(await core.listRecords(alice, conversationId, { ...newest, limit: 200, raw }));
        answers.push(await core.listRecords(alice, conversationId, { ...newest, afterSeq: 55n, limit: 10, raw }));
        answers.push(await core.listRecords(alice, conversationId, { ...newest, afterSeq: 110n, raw }));
        answers.push(await core.listRecords(alice, conversationId, { ...newest, beforeSeq: 90n, limit: 20, raw }));
        answers.push(await core.listRecords(alice, old, { ...newest, raw }));
      }
      answers.push(
        await core.describe(
          alice,
          [
            { conversationId, intervals },
            { conversationId: old, intervals },
          ],
          ahead,
        ),
      );
      answers.push(await core.getConversation(bob, conversationId));
      answers.push(await core.getReadReceipts(bob, conversationId, 128n));
    }
    return answers;
  }

  /** The folded pages of `core`, and how long the slowest took, in milliseconds. */
  async function timed(core: QueryCore, requests: readonly { readonly afterSeq?: bigint; readonly raw?: boolean }[]) {
    let slowestMs = 0;
    const pages = [];
    for (const request of requests) {
      const begun = performance.now();
      pages.push(await core.listRecords(alice, conversationId, { ...newest, ...request }));
      slowestMs = Math.max(slowestMs, performance.now() - begun);
    }
    return { pages, slowestMs };
  }

  const pages = [{}, { afterSeq: 55n }, { raw: true }, { afterSeq: 55n, raw: true }];

  it("needs no store for the newest page, and the log alone gives the same once the tail is gone", async function () {
    this.timeout(60_000);
    const { pages: expected } = await timed(newCore(), pages);
    relay.cut();
    const fromTail = await timed(newCore(), pages);
    await redis.flushall();
    const fromLog = await timed(newCore(), pages);
    await assert.rejects(newCore().listRecords(alice, old, newest), { reason: "ERROR_REASON_UNAVAILABLE" });
    relay.mend();
    assert.deepEqual(fromTail.pages, expected);
    assert.deepEqual(fromLog.pages, expected);
    assert.ok(fromTail.slowestMs < MOMENT_MS, `${fromTail.slowestMs} ms`);
    assert.ok(fromLog.slowestMs < MOMENT_MS, `${fromLog.slowestMs} ms`);
  });

  it("answers every call the same before and after Redis has lost everything", async function () {
    this.timeout(60_000);
    await cache(redis, logged.slice(30, 120));
    let held = 0;
    while (held === 0) held = (await tail.from(conversationId, 1n)).length; // empty also when its answer came too late
    assert.equal(held, 90);
    const expected = await readAll();
    await redis.flushall();
    assert.equal((await tail.from(conversationId, 1n)).length, 0);
    assert.deepEqual(await readAll(), expected);
    await cache(
      redis,
      logged.filter((_, n) => n % 7 !== 0),
    );
    assert.deepEqual(await readAll(), expected, "with holes in the tail");
  });

  it("waits only a moment for a Redis or a store that hangs", async function () {
    this.timeout(60_000);
    const { pages: expected } = await timed(newCore(), pages);
    await servers.kill("valkey", "SIGSTOP");
    const withoutTail = await timed(newCore(), pages);
    await servers.kill("mongodb", "SIGSTOP");
    const withoutStore = await timed(newCore(), pages);
    await servers.kill("mongodb", "SIGCONT");
    await servers.kill("valkey", "SIGCONT");
    await servers.untilReady();
    assert.deepEqual(withoutTail.pages, expected);
    assert.deepEqual(withoutStore.pages, expected);
    assert.ok(withoutTail.slowestMs < MOMENT_MS, `${withoutTail.slowestMs} ms`);
    assert.ok(withoutStore.slowestMs < MOMENT_MS, `${withoutStore.slowestMs} ms`);
  });
});
