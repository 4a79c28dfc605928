import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { Redis } from "ioredis";
import { type Logger, pino } from "pino";
import type { TailAddition } from "../../src/ports.ts";
import { openTail, type RedisTail } from "../../src/tail.ts";
import { DIRECT, GROUP } from "../support/entries.ts";

const addition = (conversationId: string, seqs: readonly number[], bytes = 8): TailAddition => ({
  conversationId,
  records: seqs.map((seq) => ({ seq: BigInt(seq), encoded: Buffer.alloc(bytes, String(seq).padStart(8, "0")) })),
});
/** Far less than a thousand additions take that each wait for Redis, and far more than those that don't. */
const NOTHING_MS = 5_000;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("the tail", () => {
  let servers: TestServers;
  let redis: Redis;
  let tail: RedisTail | undefined;
  let lines: string[];
  let log: Logger;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true });
    redis = new Redis(servers.redisUrl);
    redis.on("error", () => {}); // it is killed in a test
  });

  after(async () => {
    redis?.disconnect();
    await servers?.stop();
  });

  beforeEach(async () => {
    lines = [];
    log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    await redis.flushall();
  });

  afterEach(() => tail?.close());

  const scores = async (conversationId: string) =>
    (await redis.zrange(`tail:${conversationId}`, "0", "-1", "WITHSCORES")).filter((_, n) => n % 2 === 1).map(Number);

  it("holds the newest records, whatever order they come in, and forgets silent conversations", async () => {
    tail = await openTail(servers.redisUrl, log);
    await tail.add([addition(DIRECT, range(51, 120)), addition(GROUP, [1])]);
    await tail.add([addition(DIRECT, range(1, 50))]);
    await tail.add([addition(DIRECT, range(100, 120))]);
    assert.deepEqual(await scores(DIRECT), range(21, 120));
    assert.deepEqual(await scores(GROUP), [1]);
    const seconds = await redis.ttl(`tail:${DIRECT}`);
    assert.ok(seconds > 86_300 && seconds <= 86_400, `${seconds}`);
    assert.equal((await redis.zrangeBuffer(`tail:${GROUP}`, "0", "-1"))[0]?.toString(), "00000001");
    assert.deepEqual(lines, []);
  });

  it("holds no more than 128 KiB of a conversation", async () => {
    tail = await openTail(servers.redisUrl, log);
    await tail.add([addition(DIRECT, [5], 60_000)]);
    await tail.add([addition(DIRECT, [6, 7], 30_000)]);
    assert.deepEqual(await scores(DIRECT), [5, 6, 7]);
    await tail.add([addition(DIRECT, [8], 30_000)]);
    assert.deepEqual(await scores(DIRECT), [6, 7, 8]);
  });

  it("goes on when Redis has lost everything, and when it was restarted", async function () {
    this.timeout(60_000);
    const added = Promise.withResolvers<void>();
    const written = { write: (line: string) => void (line.includes("written again") && added.resolve()) };
    tail = await openTail(servers.redisUrl, pino({ level: "info" }, written), 50);
    await tail.add([addition(DIRECT, [1])]);
    await redis.flushall();
    await redis.script("FLUSH");
    await tail.add([addition(DIRECT, [2])]);
    assert.deepEqual(await scores(DIRECT), [2]);
    await servers.kill("valkey");
    await tail.add([addition(DIRECT, [3])]);
    await servers.untilReady("valkey");
    const again = setInterval(() => void tail?.add([addition(DIRECT, [4])]), 10);
    await added.promise;
    clearInterval(again);
    assert.ok((await scores(DIRECT)).includes(4));
  });

  it("costs nothing while Redis is away, and says so once", async function () {
    this.timeout(60_000);
    const url = "redis://127.0.0.1:1";
    tail = await openTail(url, log);
    const began = performance.now();
    for (const seq of range(1, 1000)) await tail.add([addition(DIRECT, [seq])]);
    assert.ok(performance.now() - began < NOTHING_MS);
    assert.equal(lines.filter((line) => line.includes("the tail is not written")).length, 1);
  });

  it("waits a moment for a Redis that hangs, then not at all", async function () {
    this.timeout(60_000);
    const sockets = new Set<Socket>();
    const answerInfo = (socket: Socket) => {
      sockets.add(socket.on("error", () => socket.destroy()));
      // What a connection asks first is answered; scripts are not.
      socket.on("data", (data) => {
        if (data.includes("info")) socket.write("$15\r\nredis_version:7\r\n");
        else if (!data.includes("tail:")) socket.write("+OK\r\n".repeat(data.toString().split("*").length - 1));
      });
    };
    const hung = createServer(answerInfo);
    await once(hung.listen(0, "127.0.0.1"), "listening");
    try {
      const at = hung.address();
      assert.ok(at !== null && typeof at === "object");
      tail = await openTail(`redis://127.0.0.1:${at.port}`, log);
      assert.deepEqual(lines, []);
      const began = performance.now();
      await tail.add([addition(DIRECT, [1])]);
      const waited = performance.now() - began;
      assert.ok(waited > 150 && waited < NOTHING_MS, `${waited} ms`);
      for (const seq of range(2, 1000)) await tail.add([addition(DIRECT, [seq])]);
      assert.ok(performance.now() - began - waited < NOTHING_MS);
      assert.match(lines[0] ?? "", /did not answer in 200 ms/);
    } finally {
      for (const socket of sockets) socket.destroy();
      hung.close();
    }
  });
});
