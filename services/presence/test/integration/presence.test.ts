import assert from "node:assert/strict";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import type { Calls } from "@oceanchat/runtime/calls";
import type { RunningHost } from "@oceanchat/runtime/host";
import type { Peers } from "@oceanchat/runtime/peers";
import { type RunningService, startService, testHost } from "@oceanchat/runtime/testing";
import { Redis } from "ioredis";
import { start } from "../../src/main.ts";

const LEASE_MS = 3_000; // long enough that a busy machine does not end it in the middle of a test

describe("presence over Valkey", () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let presence: RunningService;
  let client: RunningHost;
  let redis: Redis;
  let reports: Calls<typeof PresenceMeshService.method.report>;
  let finder: Calls<typeof PresenceMeshService.method.find>;
  let peers: Peers<typeof PresenceMeshService>;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true, nats: true });
    redis = new Redis(servers.redisUrl);
    presence = await startService("presence", start, {
      OCEANCHAT_REDIS_URL: servers.redisUrl,
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_AUTH_ADDRESSES: "127.0.0.1:1",
      OCEANCHAT_GATEWAY_LEASE_MS: String(LEASE_MS),
      OCEANCHAT_PRESENCE_SWEEP_MS: "100",
    });
    client = testHost("client");
    reports = await client.calls(PresenceMeshService.method.report, presence.mesh);
    finder = await client.calls(PresenceMeshService.method.find, presence.mesh);
    peers = await client.peers(PresenceMeshService, presence.mesh);
  });

  after(async () => {
    await client?.stop();
    await presence?.host.stop();
    redis?.disconnect();
    await servers?.stop();
  });

  beforeEach(async () => void (await redis.flushall()));

  const connect = (gatewayId: string, userId: string, connectionId: string, deviceId: string, sinceMs = 1) =>
    reports.call({
      gatewayId,
      event: {
        case: "connected",
        value: {
          connectionId,
          gatewayId,
          userId,
          sessionId: "s",
          deviceId,
          platform: "PLATFORM_WEB",
          codec: Codec.JSON,
          connectedTime: timestampFromMs(sinceMs),
        },
      },
    });
  const lease = (gatewayId: string, released = false) =>
    reports.call({ gatewayId, event: { case: "lease", value: { address: `${gatewayId}:1`, released } } });
  const located = async (...userIds: string[]) =>
    (await peers.call.locate({ userIds })).connections.map(({ connectionId }) => connectionId).sort();

  it("locates every device of a user, on every gateway", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    await connect("g1", "u1", "c1", "phone");
    await connect("g2", "u1", "c2", "laptop");
    await connect("g2", "u2", "c3", "phone");
    const answer = await peers.call.locate({ userIds: ["u1", "u2", "nobody"] });
    assert.deepEqual(answer.connections.map(({ connectionId }) => connectionId).sort(), ["c1", "c2", "c3"]);
    assert.deepEqual(answer.gateways.map(({ address }) => address).sort(), ["g1:1", "g2:1"]);
    assert.equal(answer.connections.find((each) => each.connectionId === "c1")?.codec, Codec.JSON);
  });

  it("gives connections with the stamps of their users' slots, and what lives of the gateways asked for", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await connect("gone", "u1", "c2", "laptop");
    const answer = await finder.call({ userIds: ["u1", "nobody"], gatewayIds: ["g1", "other"] });
    assert.deepEqual(answer.connections.map(({ connectionId }) => connectionId).sort(), ["c1", "c2"]);
    assert.deepEqual(
      answer.gateways.map(({ address }) => address),
      ["g1:1"],
    );
    const [slot = -1] = answer.userSlots;
    const [stamp = ""] = answer.userStamps;
    assert.notEqual(stamp, "");
    assert.equal(answer.userStamps[1], "", "nobody has ever connected there");
    const check = async () => (await finder.call({ slots: [slot] })).stamps;
    assert.deepEqual(await check(), [stamp]);
    await connect("g1", "u1", "c3", "tablet");
    assert.notDeepEqual(await check(), [stamp]);
    await redis.flushall();
    assert.deepEqual(await check(), [""]);
    await connect("g1", "u1", "c1", "phone");
    assert.notDeepEqual(await check(), [stamp], "a stamp comes only once");
  });

  it("never leaves the stamp of an answer that misses a connection", async () => {
    const userIds = Array.from({ length: 40 }, (_, n) => `u${n}`);
    const missing: { userId: string; slot: number; stamp: string }[] = [];
    const look = async () => {
      const { connections, userSlots, userStamps } = await finder.call({ userIds });
      const present = new Set(connections.map(({ userId }) => userId));
      for (const [index, userId] of userIds.entries()) {
        if (!present.has(userId))
          missing.push({ userId, slot: userSlots[index] ?? -1, stamp: userStamps[index] ?? "" });
      }
    };
    await Promise.all(userIds.flatMap((userId) => [look(), connect("g1", userId, `c ${userId}`, "phone"), look()]));
    const slots = [...new Set(missing.map(({ slot }) => slot))];
    const { stamps } = await finder.call({ slots });
    const now = new Map(slots.map((slot, index) => [slot, stamps[index]]));
    assert.ok(missing.length > userIds.length, "some looked before");
    for (const { userId, slot, stamp } of missing) assert.notEqual(now.get(slot), stamp, userId);
  });

  it("refuses a question about too many", async () => {
    const userIds = Array.from({ length: 1001 }, (_, n) => `u${n}`);
    await assert.rejects(finder.call({ userIds }), /more than 1000/);
  });

  it("lets one device go without the other", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await connect("g1", "u1", "c2", "laptop");
    await reports.call({
      gatewayId: "g1",
      event: { case: "disconnected", value: { userId: "u1", connectionId: "c1" } },
    });
    assert.deepEqual(await located("u1"), ["c2"]);
  });

  it("replaces the older connection of the same device, and an old gateway's farewell doesn't touch the new one", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    await connect("g1", "u1", "old", "phone", 1_000);
    const { replaced } = await connect("g2", "u1", "new", "phone", 2_000);
    assert.deepEqual(
      replaced.map(({ connectionId, gatewayId, address }) => ({ connectionId, gatewayId, address })),
      [{ connectionId: "old", gatewayId: "g1", address: "g1:1" }],
    );
    await reports.call({
      gatewayId: "g1",
      event: { case: "disconnected", value: { userId: "u1", connectionId: "old" } },
    });
    assert.deepEqual(await located("u1"), ["new"]);
    const late = await connect("g1", "u1", "old", "phone", 1_000); // reported again after a flush, too late
    assert.deepEqual(
      late.replaced.map(({ connectionId }) => connectionId),
      ["old"],
    );
    assert.deepEqual(await located("u1"), ["new"]);
  });

  it("keeps exactly one of many connections of a device that come at once", async () => {
    await lease("g1");
    await Promise.all(Array.from({ length: 50 }, (_, index) => connect("g1", "u1", `c${index}`, "phone", index)));
    assert.deepEqual(await located("u1"), ["c49"]);
  });

  it("forgets a silent gateway with its lease, and sweeps what it left", async function () {
    this.timeout(60_000);
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    assert.deepEqual(await located("u1"), ["c1"]);
    const began = Date.now();
    while ((await located("u1")).length > 0)
      assert.ok(Date.now() - began < LEASE_MS + 5_000, "still there after a lease");
    while ((await redis.exists("presence:user:u1")) > 0)
      assert.ok(Date.now() - began < 4 * LEASE_MS + 10_000, "not swept");
  });

  it("asks for all connections after it has lost everything", async () => {
    assert.equal((await lease("g1")).reportAll, true);
    assert.equal((await lease("g1")).reportAll, false);
    await connect("g1", "u1", "c1", "phone");
    await redis.flushall();
    assert.equal((await lease("g1")).reportAll, true);
    await connect("g1", "u1", "c1", "phone");
    assert.deepEqual(await located("u1"), ["c1"]);
  });

  it("counts a gateway that has said farewell no longer", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await lease("g1", true);
    const began = Date.now();
    while ((await located("u1")).length > 0) assert.ok(Date.now() - began < 5_000, "still believed");
  });

  it("says UNAVAILABLE while Redis is away, and works when it is back", async function () {
    this.timeout(30_000);
    await servers.kill("valkey");
    await assert.rejects(located("u1"), { reason: "ERROR_REASON_UNAVAILABLE" });
    await servers.untilReady("valkey");
    const began = Date.now();
    for (;;) {
      try {
        assert.equal((await lease("g1")).reportAll, true);
        break;
      } catch (error) {
        assert.ok(Date.now() - began < 10_000, String(error));
      }
    }
    await connect("g1", "u1", "c1", "phone");
    assert.deepEqual(await located("u1"), ["c1"]);
  });
});
