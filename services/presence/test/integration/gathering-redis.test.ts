import assert from "node:assert/strict";
import { once } from "node:events";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { GatheringRedis } from "../../src/store/gathering-redis.ts";

describe("the client of Redis", () => {
  let servers: TestServers;
  let redis: GatheringRedis;

  before(async function () {
    this.timeout(120_000);
    servers = await startServers({ valkey: true });
    redis = new GatheringRedis(servers.redisUrl, { retryStrategy: () => 20, maxRetriesPerRequest: 1 });
    redis.on("error", () => undefined);
    await once(redis, "ready");
  });
  after(async function () {
    this.timeout(60_000);
    redis?.disconnect();
    await servers?.stop();
  });

  it("writes once what is asked in one turn, in order", async () => {
    const { stream } = redis;
    const before = stream.bytesWritten;
    const answers = Array.from({ length: 100 }, () => redis.incr("count"));
    assert.equal(stream.writableCorked, 1);
    assert.equal(stream.bytesWritten - before, stream.writableLength, "nothing has left yet");
    assert.deepEqual(
      await Promise.all(answers),
      answers.map((_, n) => n + 1),
    );
    assert.equal(stream.writableCorked, 0);
    assert.equal(await redis.incr("count"), 101);
  });

  it("goes on after a connection that broke with something unwritten", async () => {
    const asked = redis.incr("other").catch(() => undefined);
    redis.stream.destroy();
    await once(redis, "ready");
    await asked;
    assert.ok((await redis.incr("other")) > 0);
    assert.equal(redis.stream.writableCorked, 0);
  });
});
