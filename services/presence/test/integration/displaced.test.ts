import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { Redis } from "ioredis";
import { eventually, type RunningPresence, startPresence } from "../support/running.ts";

const LEASE_MS = 3_000; // long enough that a busy machine does not end it in the middle of a test

describe("an instance that dies before it has noted who gave way", () => {
  let servers: TestServers;
  let presence: RunningPresence;
  let redis: Redis;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true, mongo: true, nats: true });
    redis = new Redis(servers.redisUrl);
    presence = await startPresence(servers, { OCEANCHAT_GATEWAY_LEASE_MS: String(LEASE_MS) });
  });

  after(async function () {
    this.timeout(60_000);
    await presence?.stop();
    redis?.disconnect();
    await servers?.stop();
  });

  const lease = (gatewayId: string) => presence.lease(gatewayId);
  const phone = (gatewayId: string, connectionId: string, sinceMs: number) =>
    presence.connect({ gatewayId, userId: "u1", connectionId, deviceId: "phone", sinceMs });
  const told = async () => (await lease("g1")).replaced.map(({ connectionId }) => connectionId);

  beforeEach(async () => {
    await redis.flushall();
    await Promise.all([lease("g1"), lease("g2")]);
    await phone("g1", "old", 1_000);
    await redis.set("presence:displaced:{g1}", "no set"); // the note can't be written
    await assert.rejects(phone("g2", "new", 2_000), { code: Code.Unavailable });
    await redis.del("presence:displaced:{g1}");
  });

  it("has it noted when the report is repeated, and only then", async () => {
    const { replaced } = await phone("g2", "new", 2_000);
    assert.deepEqual([replaced.map(({ connectionId }) => connectionId), await told()], [["old"], ["old"]]);
    assert.deepEqual((await phone("g2", "new", 2_000)).replaced, []);
  });

  it("has it noted when the new connection goes", async () => {
    await presence.disconnect("g2", "u1", "new");
    assert.deepEqual(await told(), ["old"]);
  });

  it("has it noted when the new connection's gateway has died", async function () {
    this.timeout(60_000);
    await eventually(async () => assert.deepEqual(await told(), ["old"]), LEASE_MS + 15_000);
  });

  it("leaves one alone that has been reported again and stays", async () => {
    await redis.hdel("presence:user:{u1}", "new"); // it counts no longer
    assert.deepEqual((await phone("g1", "old", 1_000)).replaced, []);
    await presence.disconnect("g2", "u1", "new");
    assert.deepEqual([await told(), await presence.located("u1")], [[], ["old"]]);
  });
});
