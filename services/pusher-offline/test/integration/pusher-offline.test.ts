import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { OfflineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { implement } from "@oceanchat/runtime/handlers";
import type { RunningHost } from "@oceanchat/runtime/host";
import { packUuids } from "@oceanchat/runtime/packed-uuids";
import { streamOf } from "@oceanchat/runtime/streams";
import { type RunningService, startService, testHost } from "@oceanchat/runtime/testing";
import { type FcmServer, startFcmServer } from "@oceanchat/tests/push-providers/fcm-server";
import { start } from "../../src/main.ts";
import { type MongoPushStore, openStore } from "../../src/store.ts";

const stream = streamOf(OfflineTaskSchema);
/** How long users have to come back here: longer than a task takes that nobody has to wait for, on a busy machine too. */
const RETURN_MS = 6_000;

describe("pusher-offline over NATS, MongoDB and FCM's protocol", () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let fcm: FcmServer;
  let user: RunningService;
  let presence: RunningService;
  /** Since when users are connected, in milliseconds since the epoch. */
  const connected = new Map<string, number>();
  let pusher: RunningService;
  let client: RunningHost;
  let bus: Bus;
  let store: MongoPushStore;
  let environment: Record<string, string>;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    fcm = await startFcmServer();
    const profiles = implement(UserMeshService, {
      batchGetProfiles: ({ userIds }) => ({
        users: userIds.map((userId) => ({ userId, displayName: `Name of ${userId}` })),
      }),
    });
    user = await startService("user", async (host) => void (await host.serve({ mesh: [profiles] })));
    const where = implement(PresenceMeshService, {
      locate: ({ userIds }) => ({
        connections: userIds.flatMap((userId) => {
          const sinceMs = connected.get(userId);
          return sinceMs === undefined ? [] : [{ userId, connectedTime: timestampFromMs(sinceMs) }];
        }),
      }),
    });
    presence = await startService("presence", async (host) => void (await host.serve({ mesh: [where] })));
    environment = {
      OCEANCHAT_PRESENCE_ADDRESSES: `127.0.0.1:${presence.served.meshPort}`,
      OCEANCHAT_PUSH_RETURN_MS: String(RETURN_MS),
      ...fcm.environment,
      OCEANCHAT_NATS_URL: servers.natsUrl,
      OCEANCHAT_MONGODB_URL: servers.mongodbUrl,
      OCEANCHAT_AUTH_ADDRESSES: "127.0.0.1:1",
      OCEANCHAT_USER_ADDRESSES: `127.0.0.1:${user.served.meshPort}`,
    };
    pusher = await startService("pusher-offline", start, environment);
    client = testHost("client");
    bus = await client.bus(servers.natsUrl);
    store = await openStore({ url: servers.mongodbUrl, database: "oceanchat", name: "test", log: client.log });
  });

  after(async () => {
    await store?.close();
    await client?.stop();
    await pusher?.host.stop();
    await user?.host.stop();
    await presence?.host.stop();
    await fcm?.close();
    await servers?.stop();
  });

  const register = async (userId: string) => {
    const token = `token-${randomUUID()}`;
    const registered = {
      tokenId: randomUUID(),
      userId,
      deviceId: "phone",
      provider: "fcm",
      token,
      createdAtMs: Date.now(),
    } as const;
    await store.register(registered);
    return registered;
  };
  const tell = (userId: string, recordId: string) => publish({ userId }, recordId, userId);
  const publish = async (
    named: { readonly userId: string } | { readonly packedUserIds: Uint8Array },
    recordId: string,
    id: string,
    when: "user" | "later" = "user",
    acceptedMs = Date.now(),
  ) => {
    const task = create(OfflineTaskSchema, {
      ...named,
      record: {
        recordId,
        conversationId: "c",
        seq: 3n,
        senderUserId: "alice",
        acceptedTime: timestampFromMs(acceptedMs),
        body: { case: "message", value: { content: { kind: { case: "text", value: { text: "psst" } } } } },
      },
    });
    await bus.publish(stream.subjectOf(when, { id }), toBinary(OfflineTaskSchema, task), {
      expectStream: stream.name,
    });
  };
  const decided = async (userId: string, recordId: string, decision: string) => {
    const began = Date.now();
    for (;;) {
      const found = (await store.decisions(userId, recordId)).map((each) => each.decision);
      if (found.includes(decision)) return;
      assert.ok(Date.now() - began < 15_000, `decided: ${found.join()}`);
    }
  };

  it("tells a device once, with the sender's name, however often the task comes", async function () {
    this.timeout(60_000);
    const [userId, recordId] = [randomUUID(), randomUUID()];
    const { token } = await register(userId);
    await tell(userId, recordId);
    const push = await fcm.untilRequest((each) => each.token === token);
    assert.equal(push.status, 200);
    assert.match(JSON.stringify(push.body), /Name of alice/);
    assert.match(JSON.stringify(push.body), /psst/);
    await decided(userId, recordId, "sent");
    await tell(userId, recordId); // a second one, from another publisher: same record, same device
    const other = randomUUID();
    await tell(userId, other);
    await decided(userId, other, "sent");
    assert.equal(fcm.requests.filter((each) => each.token === token).length, 2, "one for each record");
  });

  it("tells those of a thousand users who have a device, each once, also those named by another task", async function () {
    this.timeout(60_000);
    const userIds = Array.from({ length: 1000 }, () => randomUUID());
    const having = [userIds[0], userIds[1], userIds[499], userIds[500], userIds[999]].filter(
      (each) => each !== undefined,
    );
    const [first] = having;
    assert.ok(first !== undefined);
    const tokens: string[] = [];
    for (const userId of having) tokens.push((await register(userId)).token);
    const recordId = randomUUID();
    await tell(first, recordId); // from pusher-realtime, who knew first that he is gone
    await publish({ packedUserIds: packUuids(userIds) }, recordId, first);
    for (const userId of having) await decided(userId, recordId, "sent");
    await publish({ packedUserIds: packUuids(userIds.slice(1)) }, recordId, first); // again, in another shape
    await publish({ packedUserIds: new Uint8Array(17) }, recordId, first); // poison holds nobody up
    const next = randomUUID();
    await tell(first, next); // in the same lane: then the others are through
    await decided(first, next, "sent");
    const about = fcm.requests.filter(
      ({ token, body }) => tokens.includes(token) && JSON.stringify(body).includes(recordId),
    );
    assert.deepEqual(about.map(({ token }) => token).sort(), tokens.sort());
    assert.deepEqual(await store.decisions(userIds[2] ?? "", recordId), [], "without a device nothing is written");
    const dead = () => bus.bySubjectFrom("DEAD", "dead.PUSH_OFFLINE", 1, 10);
    while ((await dead()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await dead()).length, 1);
  });

  it("gives those whose gateway has gone time to come back, and holds up nobody for it", async function () {
    this.timeout(60_000);
    const [recordId, gone, back, other] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    const { token } = await register(gone);
    const { token: unneeded } = await register(back);
    await register(other);
    const beganMs = Date.now();
    connected.set(gone, beganMs - 60_000); // at the gateway that has gone, as far as presence knows
    for (const userId of [gone, back]) await publish({ userId }, recordId, userId, "later", beganMs);
    await tell(other, recordId);
    await decided(other, recordId, "sent");
    assert.deepEqual([...(await store.decisions(gone, recordId)), ...(await store.decisions(back, recordId))], []);
    connected.set(back, Date.now());
    const push = await fcm.untilRequest((each) => each.token === token);
    assert.equal(push.status, 200);
    assert.ok(Date.now() - beganMs >= RETURN_MS - 100, "not at once");
    await decided(back, recordId, "connected");
    assert.ok(!fcm.requests.some((each) => each.token === unneeded), "who is back needs no notification");
  });

  it("forgets a token that FCM calls unregistered", async function () {
    this.timeout(60_000);
    const [userId, recordId] = [randomUUID(), randomUUID()];
    const { token, tokenId } = await register(userId);
    fcm.answer(token, { error: "UNREGISTERED" });
    await tell(userId, recordId);
    await decided(userId, recordId, "invalid_token");
    assert.equal(await store.token(tokenId), undefined);
  });

  it("tries again what FCM could not take, under the same ids", async function () {
    this.timeout(60_000);
    const [userId, recordId] = [randomUUID(), randomUUID()];
    const { token } = await register(userId);
    fcm.answer(token, { error: "UNAVAILABLE" });
    await tell(userId, recordId);
    await decided(userId, recordId, "sent");
    assert.deepEqual(
      fcm.requests.filter((each) => each.token === token).map(({ status }) => status),
      [503, 200],
    );
  });

  it("goes on where it was after it was stopped", async function () {
    this.timeout(60_000);
    const [userId, recordId] = [randomUUID(), randomUUID()];
    const { token } = await register(userId);
    await pusher.host.stop();
    await tell(userId, recordId);
    pusher = await startService("pusher-offline", start, environment);
    await fcm.untilRequest((each) => each.token === token, 20_000);
    await decided(userId, recordId, "sent");
  });
});
