import assert from "node:assert/strict";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { Redis } from "ioredis";
import { eventually, keepLeased, type RunningPresence, startPresence } from "../support/running.ts";

const LEASE_MS = 3_000; // long enough that a busy machine does not end it in the middle of a test

describe("presence over Valkey", () => {
  let servers: TestServers;
  let presence: RunningPresence;
  let other: RunningPresence;
  let redis: Redis;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true, mongo: true, nats: true });
    redis = new Redis(servers.redisUrl);
    redis.on("error", () => {}); // a test takes it away
    const env = { OCEANCHAT_GATEWAY_LEASE_MS: String(LEASE_MS) };
    [presence, other] = await Promise.all([startPresence(servers, env), startPresence(servers, env)]);
  });

  after(async function () {
    this.timeout(60_000);
    await Promise.all([presence?.stop(), other?.stop()]);
    redis?.disconnect();
    await servers?.stop();
  });

  beforeEach(async () => void (await redis.flushall()));

  const connect = (gatewayId: string, userId: string, connectionId: string, deviceId: string, sinceMs = 1) =>
    presence.connect({ gatewayId, userId, connectionId, deviceId, sinceMs });
  const lease = (gatewayId: string, released = false) => presence.lease(gatewayId, released);
  const located = (...userIds: string[]) => presence.located(...userIds);

  it("locates every device of a user, on every gateway", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    await connect("g1", "u1", "c1", "phone");
    await connect("g2", "u1", "c2", "laptop");
    await connect("g2", "u2", "c3", "phone");
    const answer = await presence.mesh.locate({ userIds: ["u1", "u2", "nobody"] });
    assert.deepEqual(answer.connections.map(({ connectionId }) => connectionId).sort(), ["c1", "c2", "c3"]);
    assert.deepEqual(answer.gateways.map(({ address }) => address).sort(), ["g1:1", "g2:1"]);
    assert.equal(answer.connections.find((each) => each.connectionId === "c1")?.codec, Codec.JSON);
  });

  it("gives connections with the stamps of their users' slots, and what lives of the gateways asked for", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await connect("gone", "u1", "c2", "laptop");
    const answer = await presence.find({ userIds: ["u1", "nobody"], gatewayIds: ["g1", "other"] });
    assert.deepEqual(answer.connections.map(({ connectionId }) => connectionId).sort(), ["c1", "c2"]);
    assert.deepEqual(
      answer.gateways.map(({ address }) => address),
      ["g1:1"],
    );
    const [slot = -1] = answer.userSlots;
    const [stamp = ""] = answer.userStamps;
    assert.notEqual(stamp, "");
    assert.equal(answer.userStamps[1], "", "nobody has ever connected there");
    const check = async () => (await presence.find({ slots: [slot] })).stamps;
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
      const { connections, userSlots, userStamps } = await presence.find({ userIds });
      const present = new Set(connections.map(({ userId }) => userId));
      for (const [index, userId] of userIds.entries()) {
        if (!present.has(userId))
          missing.push({ userId, slot: userSlots[index] ?? -1, stamp: userStamps[index] ?? "" });
      }
    };
    await Promise.all(userIds.flatMap((userId) => [look(), connect("g1", userId, `c ${userId}`, "phone"), look()]));
    const slots = [...new Set(missing.map(({ slot }) => slot))];
    const { stamps } = await presence.find({ slots });
    const now = new Map(slots.map((slot, index) => [slot, stamps[index]]));
    assert.ok(missing.length > userIds.length, "some looked before");
    for (const { userId, slot, stamp } of missing) assert.notEqual(now.get(slot), stamp, userId);
  });

  it("refuses a question about too many", async () => {
    const userIds = Array.from({ length: 1001 }, (_, n) => `u${n}`);
    await assert.rejects(presence.find({ userIds }), /more than 1000/);
  });

  it("lets one device go without the other", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await connect("g1", "u1", "c2", "laptop");
    await presence.disconnect("g1", "u1", "c1");
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
    const late = await connect("g1", "u1", "old", "phone", 1_000); // reported again after a flush, too late
    assert.deepEqual(
      late.replaced.map(({ connectionId }) => connectionId),
      ["old"],
    );
    assert.deepEqual(await located("u1"), ["new"]);
    await presence.disconnect("g1", "u1", "old");
    assert.deepEqual(await located("u1"), ["new"]);
  });

  it("tells the gateway itself by its next lease, since whoever was to close the older connection may have died", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    await connect("g1", "u1", "old", "phone", 1_000);
    await connect("g2", "u1", "new", "phone", 2_000);
    const told = async (gatewayId: string) => (await lease(gatewayId)).replaced.map(({ connectionId }) => connectionId);
    assert.deepEqual([await told("g2"), await told("g1"), await told("g1")], [[], ["old"], []]);
  });

  it("doesn't bring back a connection whose report comes after its farewell", async () => {
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await presence.disconnect("g1", "u1", "c1");
    assert.equal((await connect("g1", "u1", "c1", "phone")).replaced.length, 0);
    await presence.disconnect("g1", "u1", "c2"); // before it was ever reported
    await connect("g1", "u1", "c2", "laptop");
    assert.deepEqual(await located("u1"), []);
  });

  it("counts nothing of dead gateways: neither newer entries nor too many", async () => {
    await lease("g1");
    await connect("dead", "u1", "newer", "phone", 9_000);
    for (let n = 0; n < 12; n++) await connect("dead", "u1", `d${n}`, `device ${n}`, 9_000);
    assert.deepEqual((await connect("g1", "u1", "c1", "phone", 1_000)).replaced, []);
    assert.deepEqual(await located("u1"), ["c1"]);
  });

  it("keeps as many of a kind of device as it may, and the oldest give way", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    const mobile = (n: number, platform: string) =>
      presence.connect({
        gatewayId: n % 2 === 0 ? "g1" : "g2",
        userId: "u1",
        connectionId: `m${n}`,
        deviceId: `mobile ${n}`,
        sinceMs: n,
        platform,
      });
    await connect("g1", "u1", "web", "browser");
    for (let n = 1; n <= 5; n++) await mobile(n, n % 2 === 0 ? "PLATFORM_IOS" : "PLATFORM_ANDROID");
    assert.equal((await located("u1")).length, 6);
    const { replaced } = await mobile(6, "PLATFORM_IOS");
    assert.deepEqual(
      replaced.map(({ connectionId, gatewayId, address }) => [connectionId, gatewayId, address]),
      [["m1", "g2", "g2:1"]],
    );
    assert.deepEqual(await located("u1"), ["m2", "m3", "m4", "m5", "m6", "web"]);
    const stale = await mobile(0, "PLATFORM_IOS"); // older than all: reported again by a gateway that was cut off
    assert.deepEqual(
      stale.replaced.map(({ connectionId }) => connectionId),
      ["m0"],
    );
  });

  it("keeps no more than the total, whatever comes at once by two instances", async () => {
    await Promise.all([lease("g1"), lease("g2")]);
    const platforms = ["PLATFORM_WEB", "PLATFORM_IOS", "PLATFORM_DESKTOP", "PLATFORM_SERVER", "PLATFORM_ODD"];
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        (n % 2 === 0 ? presence : other).connect({
          gatewayId: n % 3 === 0 ? "g1" : "g2",
          userId: "u1",
          connectionId: `c${n}`,
          deviceId: `device ${n}`,
          sinceMs: n,
          platform: platforms[n % 5] ?? "",
        }),
      ),
    );
    const left = await located("u1");
    assert.equal(left.length, 20);
    assert.ok(left.includes("c59"), "the newest is among them");
  });

  it("keeps exactly one of many connections of a device that come at once", async () => {
    await lease("g1");
    await Promise.all(Array.from({ length: 50 }, (_, index) => connect("g1", "u1", `c${index}`, "phone", index)));
    assert.deepEqual(await located("u1"), ["c49"]);
  });

  it("forgets a silent gateway with its lease, and sweeps what it left, whom the living don't hold", async function () {
    this.timeout(60_000);
    await Promise.all([lease("g1"), lease("g2")]);
    await connect("g1", "u1", "c1", "phone");
    await connect("g1", "u2", "c2", "phone");
    await connect("g2", "u2", "c3", "laptop");
    assert.deepEqual(await located("u1"), ["c1"]);
    const renewing = keepLeased(other, "g2");
    try {
      await eventually(async () => assert.deepEqual(await located("u1"), []), LEASE_MS + 15_000);
      await eventually(async () => {
        assert.equal(await redis.exists("presence:user:{u1}"), 0);
        assert.deepEqual(await redis.hkeys("presence:user:{u2}"), ["c3"]);
        assert.deepEqual(await redis.zrange("presence:gateways", 0, "-1"), ["g2"]);
        assert.deepEqual(await redis.keys("presence:*{g1}"), []);
      }, 15_000);
      assert.deepEqual(await located("u1", "u2"), ["c3"]);
    } finally {
      await renewing.stop();
    }
  });

  it("lets a gateway come back that was only cut off", async function () {
    this.timeout(60_000);
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    await eventually(async () => assert.equal(await redis.exists("presence:user:{u1}"), 0), LEASE_MS + 10_000);
    assert.equal((await lease("g1")).reportAll, true);
    await connect("g1", "u1", "c1", "phone");
    assert.deepEqual(await located("u1"), ["c1"]);
    await eventually(async () => assert.equal(await redis.exists("presence:user:{u1}"), 0), LEASE_MS + 10_000); // a second time
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

  it("says that connections may be missing after it has lost everything, until all may have been reported again", async function () {
    this.timeout(30_000);
    const finding = { userIds: ["u1"] };
    await lease("g1");
    await connect("g1", "u1", "c1", "phone");
    const rebuilding = async () =>
      (await Promise.all([presence, other].map((each) => each.find(finding)))).map((found) => found.rebuilding);
    await eventually(async () => assert.deepEqual(await rebuilding(), [false, false]), LEASE_MS + 5_000); // the tests flush as well
    await redis.flushall();
    assert.deepEqual(await rebuilding(), [true, true]);
    const beganMs = Date.now();
    await lease("g1");
    assert.equal((await other.find(finding)).rebuilding, true, "the others are still to report");
    await connect("g1", "u1", "c1", "phone");
    await eventually(async () => assert.equal((await presence.find(finding)).rebuilding, false), LEASE_MS + 5_000);
    assert.ok(Date.now() - beganMs >= LEASE_MS / 2);
  });

  it("lets the users of a gateway that has said farewell come back for a moment, then counts it no longer", async function () {
    this.timeout(60_000);
    await lease("g1");
    await lease("g2");
    const renewing = keepLeased(presence, "g2"); // else its users go together with those of the other
    await connect("g1", "u1", "c1", "phone");
    await connect("g1", "u2", "c2", "phone");
    const beganMs = Date.now();
    await lease("g1", true);
    const farewellMs = -Number(await redis.zscore("presence:gateways", "g1"));
    assert.ok(farewellMs >= beganMs && farewellMs <= Date.now(), "its last sign of life");
    try {
      await connect("g2", "u2", "c3", "phone", 2);
      assert.deepEqual([await other.located("u1"), await other.located("u2")], [["c1"], ["c3"]]);
      await eventually(async () => assert.deepEqual(await other.located("u1"), []), LEASE_MS + 15_000);
      assert.ok(Date.now() - beganMs >= Math.min(5_000, LEASE_MS) - 100, "they had time to come back");
      await eventually(async () => assert.equal(await redis.exists("presence:user:{u1}"), 0), 15_000);
      assert.equal(await redis.exists("presence:user:{u2}"), 1);
    } finally {
      await renewing.stop();
    }
  });

  it("says UNAVAILABLE while Redis is away, and works when it is back", async function () {
    this.timeout(60_000);
    // Asked all the time: Redis is back in a moment.
    const asking = async () => {
      for (;;) await located("u1");
    };
    const refused = assert.rejects(asking(), { reason: "ERROR_REASON_UNAVAILABLE" });
    await servers.kill("valkey");
    await refused;
    await servers.untilReady("valkey");
    await eventually(async () => assert.equal((await lease("g1")).reportAll, true), 20_000);
    await connect("g1", "u1", "c1", "phone");
    assert.deepEqual(await located("u1"), ["c1"]);
  });
});
