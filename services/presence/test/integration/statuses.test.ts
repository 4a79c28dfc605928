import assert from "node:assert/strict";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import {
  type PresenceQuestion,
  PresenceVerdict,
  UserMeshService,
} from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Env } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import { openTestDoor } from "@oceanchat/runtime/testing";
import { answers } from "@oceanchat/runtime/testing-public";
import { openRelay, type Relay } from "@oceanchat/runtime/testing-relay";
import { openTestIssuer } from "@oceanchat/runtime/testing-tokens";
import { Redis } from "ioredis";
import { eventually, keepLeased, type RunningPresence, startPresence } from "../support/running.ts";

const LEASE_MS = 3_000;
const id = (n: number) => `01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, "0")}`;
const viewer = id(1);
let next = 1;
const someone = () => id(++next);

describe("statuses over Valkey and the store", () => {
  let servers: TestServers;
  let toStore: Relay;
  let auth: Awaited<ReturnType<typeof openTestIssuer>>;
  let users: MeshDoor;
  let presence: RunningPresence;
  let other: RunningPresence;
  let redis: Redis;
  let verdictOf: (question: PresenceQuestion) => PresenceVerdict = () => PresenceVerdict.ALL;
  let renewing: ReturnType<typeof keepLeased> | undefined;
  let environment: Env;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true, mongo: true, nats: true });
    redis = new Redis(servers.redisUrl);
    auth = await openTestIssuer();
    const checkPresence = ({ questions }: { readonly questions: PresenceQuestion[] }) => ({
      verdicts: questions.map((question) => verdictOf(question)),
    });
    users = await openTestDoor([implement(UserMeshService, { checkPresence })]);
    toStore = await openRelay(servers.mongodbUrl);
    const env = {
      OCEANCHAT_MONGODB_URL: toStore.url,
      OCEANCHAT_AUTH_ADDRESSES: `127.0.0.1:${auth.port}`,
      OCEANCHAT_USER_ADDRESSES: `127.0.0.1:${users.port}`,
      OCEANCHAT_GATEWAY_LEASE_MS: String(LEASE_MS),
    };
    environment = env;
    [presence, other] = await Promise.all([startPresence(servers, env), startPresence(servers, env)]);
    await presence.lease("g1");
    renewing = keepLeased(presence, "g1");
    // Presence doesn't wait for the store when it starts.
    for (const at of [presence, other]) {
      await eventually(
        () =>
          at
            .as(auth.tokenFor(viewer))
            .setStatus({ status: Status.ONLINE })
            .then(() => {}),
        20_000,
      );
    }
  });

  after(async function () {
    this.timeout(60_000);
    await renewing?.stop();
    await Promise.all([presence?.stop(), other?.stop()]);
    await users?.close(0);
    await auth?.close(0);
    redis?.disconnect();
    await toStore?.close();
    await servers?.stop();
  });

  afterEach(() => {
    verdictOf = () => PresenceVerdict.ALL;
  });

  const connect = (userId: string, connectionId = `c-${userId}`) =>
    presence.connect({ gatewayId: "g1", userId, connectionId, deviceId: connectionId });
  const disconnect = (userId: string, connectionId = `c-${userId}`) => presence.disconnect("g1", userId, connectionId);
  const look = async (userId: string, by = viewer, at = presence) => {
    const [shown] = (await at.as(auth.tokenFor(by)).batchGetPresence({ userIds: [userId] })).presences;
    assert.equal(shown?.userId, userId);
    return {
      status: shown.status,
      text: shown.statusText,
      lastSeen: shown.lastSeenTime === undefined ? undefined : timestampMs(shown.lastSeenTime),
    };
  };
  const statusOf = async (userId: string, by?: string, at?: RunningPresence) => (await look(userId, by, at)).status;
  const set = (userId: string, status: Status, text = "", expireMs?: number) =>
    presence.as(auth.tokenFor(userId)).setStatus({
      status,
      statusText: text,
      ...(expireMs === undefined ? {} : { expireTime: timestampFromMs(expireMs) }),
    });

  it("shows who is here, what he says, and when he was last here", async function () {
    this.timeout(30_000);
    const user = someone();
    assert.deepEqual(await look(user), { status: Status.OFFLINE, text: "", lastSeen: undefined });
    await connect(user);
    assert.deepEqual(await look(user), { status: Status.ONLINE, text: "", lastSeen: undefined });
    await set(user, Status.BUSY, "writing");
    assert.deepEqual(await look(user), { status: Status.BUSY, text: "writing", lastSeen: undefined });
    await eventually(async () => assert.equal((await look(user, viewer, other)).text, "writing"), 10_000);
    const before = Date.now();
    await disconnect(user);
    const { lastSeen = 0, ...rest } = await look(user);
    assert.deepEqual(rest, { status: Status.OFFLINE, text: "" });
    assert.ok(lastSeen >= before - 5 && lastSeen <= Date.now() + 5, `${lastSeen}`);
    await eventually(async () => assert.equal(await redis.zscore("presence:left", user), null), 10_000);
    // The instance that has written it may be the other one: then this one reads it in a second.
    await eventually(async () => assert.equal((await look(user)).lastSeen, lastSeen, "the same when written"), 10_000);
  });

  it("keeps somebody online while another of his devices is", async () => {
    const user = someone();
    await connect(user, "phone");
    await connect(user, "laptop");
    await disconnect(user, "phone");
    assert.equal(await statusOf(user), Status.ONLINE);
    await disconnect(user, "laptop");
    assert.equal(await statusOf(user), Status.OFFLINE);
  });

  it("shows the invisible as offline since he hid, also after everything in Redis is lost", async function () {
    this.timeout(30_000);
    const user = someone();
    await connect(user);
    const before = Date.now();
    await set(user, Status.INVISIBLE);
    const after = Date.now();
    const { status, lastSeen = 0 } = await look(user);
    assert.equal(status, Status.OFFLINE);
    assert.ok(lastSeen >= before && lastSeen <= after);
    assert.equal(await statusOf(user, user), Status.INVISIBLE, "he sees himself as he is");
    await redis.flushall();
    await presence.lease("g1");
    await connect(user);
    for (const at of [presence, other]) {
      await eventually(async () => assert.equal(await statusOf(user, user, at), Status.INVISIBLE), 10_000);
      assert.deepEqual(await look(user, viewer, at), { status: Status.OFFLINE, text: "", lastSeen });
    }
    await disconnect(user);
    await eventually(async () => assert.equal(await redis.zscore("presence:left", user), null), 10_000);
    assert.equal((await look(user)).lastSeen, lastSeen, "going while invisible isn't seen");
  });

  it("ends a status when it expires", async function () {
    this.timeout(30_000);
    const user = someone();
    await connect(user);
    await set(user, Status.INVISIBLE, "", Date.now() + 3_000);
    assert.equal(await statusOf(user), Status.OFFLINE);
    await eventually(async () => assert.equal(await statusOf(user), Status.ONLINE), 15_000);
  });

  it("follows who may see whom", async function () {
    this.timeout(30_000);
    const user = someone();
    await connect(user);
    verdictOf = () => PresenceVerdict.HIDDEN;
    assert.equal(await statusOf(user), Status.OFFLINE);
    assert.equal(await statusOf(user, user), Status.ONLINE);
    verdictOf = () => PresenceVerdict.STATUS;
    await eventually(async () => assert.equal(await statusOf(user), Status.ONLINE), 10_000);
    await disconnect(user);
    assert.deepEqual(await look(user), { status: Status.OFFLINE, text: "", lastSeen: undefined });
  });

  it("asks one question for each user it is asked about", async () => {
    const asked: PresenceQuestion[] = [];
    verdictOf = (question) => {
      asked.push(question);
      return PresenceVerdict.ALL;
    };
    const many = Array.from({ length: 200 }, someone);
    const { presences } = await presence.as(auth.tokenFor(viewer)).batchGetPresence({ userIds: many });
    assert.deepEqual(
      presences.map(({ userId }) => userId),
      many,
    );
    assert.equal(asked.length, 200);
  });

  it("shows when a user of a dead gateway was last seen: at its last sign of life", async function () {
    this.timeout(30_000);
    const user = someone();
    await presence.lease("g2");
    const renewed = Date.now();
    await presence.connect({ gatewayId: "g2", userId: user, connectionId: "c", deviceId: "d" });
    assert.equal(await statusOf(user), Status.ONLINE);
    let seen = await look(user);
    await eventually(async () => {
      seen = await look(user);
      assert.ok(seen.lastSeen !== undefined);
    }, LEASE_MS + 15_000);
    const { status, lastSeen = 0 } = seen;
    assert.equal(status, Status.OFFLINE);
    assert.ok(Math.abs(lastSeen - renewed) < 1_000, `${lastSeen - renewed} ms`);
  });

  it("refuses what can't be, and who isn't anybody", async () => {
    const me = presence.as(auth.tokenFor(viewer));
    const invalid = async (call: Promise<unknown>) => answers(call, Code.InvalidArgument, "INVALID_FIELD");
    assert.deepEqual(await invalid(set(viewer, Status.OFFLINE)), ["status"]);
    assert.deepEqual(await invalid(set(viewer, Status.UNSPECIFIED)), ["status"]);
    assert.deepEqual(await invalid(set(viewer, Status.AWAY, "x".repeat(141))), ["status_text"]);
    assert.deepEqual(await invalid(set(viewer, Status.AWAY, "", Date.now() - 1_000)), ["expire_time"]);
    assert.deepEqual(await invalid(me.batchGetPresence({ userIds: [] })), ["user_ids"]);
    await answers(presence.as().batchGetPresence({ userIds: [viewer] }), Code.Unauthenticated, "TOKEN_INVALID");
  });

  it("says UNAVAILABLE when it can't be asked who may see whom, but shows oneself", async () => {
    const user = someone();
    await connect(user);
    verdictOf = () => {
      throw new Error("user is away");
    };
    const me = presence.as(auth.tokenFor(user));
    await answers(me.batchGetPresence({ userIds: [user, viewer] }), Code.Unavailable, "UNAVAILABLE");
    assert.equal(await statusOf(user, user), Status.ONLINE);
  });

  it("says where users are when it starts while the store is away, and shows statuses as soon as that is there", async function () {
    this.timeout(60_000);
    const user = someone();
    await set(user, Status.BUSY, "in a meeting");
    toStore.cut();
    const started = await startPresence(servers, environment);
    try {
      await started.connect({ gatewayId: "g1", userId: user, connectionId: `c-${user}`, deviceId: "d" });
      assert.deepEqual(await started.located(user), [`c-${user}`]);
      assert.equal((await started.find({ userIds: [user] })).connections.length, 1);
      assert.equal(await statusOf(user, viewer, started), Status.OFFLINE, "nobody knows what he has chosen");
      toStore.mend();
      await eventually(async () => assert.equal(await statusOf(user, viewer, started), Status.BUSY), 40_000);
    } finally {
      toStore.mend();
      await started.stop();
    }
  });

  it("shows everybody as offline while statuses can't be read, and writes when somebody was last seen afterwards", async function () {
    this.timeout(60_000);
    const user = someone();
    const hidden = someone();
    await Promise.all([connect(user), connect(hidden)]);
    await set(hidden, Status.INVISIBLE);
    toStore.cut();
    await eventually(async () => assert.equal(await statusOf(user), Status.OFFLINE), 10_000);
    assert.equal(await statusOf(hidden), Status.OFFLINE);
    assert.equal((await presence.located(user, hidden)).length, 2, "deliveries go on");
    await disconnect(user);
    toStore.mend();
    await eventually(async () => assert.equal(await redis.zscore("presence:left", user), null), 20_000);
    await eventually(async () => assert.notEqual((await look(user)).lastSeen, undefined), 10_000);
    assert.equal(await statusOf(hidden, hidden), Status.INVISIBLE);
  });
});
