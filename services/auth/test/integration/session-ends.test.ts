import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { Platform } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { shared } from "@oceanchat/runtime/fail";
import { implement, type Registration } from "@oceanchat/runtime/handlers";
import { type MeshDoor, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { silentLog } from "@oceanchat/runtime/testing";
import { openFakeUser, type RunningAuth, startAuth } from "../support/running.ts";

const password = "correct horse";
const device = (deviceId: string) => ({ deviceId, platform: Platform.IOS, name: deviceId });

/** A gateway that notes what it is told to close. */
class FakeGateway {
  readonly closed: { readonly sessionIds: readonly string[]; readonly code: number; readonly reason: string }[] = [];
  readonly events = new EventEmitter();
  /** Calls that it answers by nothing, first. */
  silentFor = 0;
  /** When it did so last, in milliseconds. */
  silentSince = Number.POSITIVE_INFINITY;
  readonly registration: Registration = implement(GatewayMeshService, {
    closeConnections: ({ connectionIds, sessionIds, code, reason }) => {
      assert.deepEqual(connectionIds, []);
      if (this.silentFor-- > 0) {
        this.silentSince = performance.now();
        return new Promise<never>(() => undefined);
      }
      this.closed.push({ sessionIds, code, reason });
      this.events.emit("closed");
      return { closed: sessionIds.length };
    },
  });

  /** What it was first told to close with this session. */
  async closing(sessionId: string) {
    for (;;) {
      const found = this.closed.find(({ sessionIds }) => sessionIds.includes(sessionId));
      if (found !== undefined) return found;
      await once(this.events, "closed");
    }
  }
}

describe("the connections of ended sessions", () => {
  let servers: TestServers;
  const doors: MeshDoor[] = [];
  let auth: RunningAuth;
  let gateway: FakeGateway;
  let address: string;
  /** The sessions that are connected, by user. */
  let connected: Map<string, string[]>;
  let presenceAway = false;
  let named = 0;
  /** What users' logs were told. */
  const notices: {
    readonly userId: string;
    readonly key: string;
    readonly sessionId: string;
    readonly attempt: number;
  }[] = [];
  const noticed = new EventEmitter();
  let messageAway = 0;

  const open = async (registration: Registration) => {
    const door = await openMeshDoor({ host: "127.0.0.1", port: 0, registrations: [registration], log: silentLog });
    door.setServing(true);
    doors.push(door);
    return `127.0.0.1:${door.port}`;
  };
  const presence = implement(PresenceMeshService, {
    locate({ userIds }) {
      if (presenceAway) throw shared.unavailable("Redis is away");
      const connections = userIds.flatMap((userId) =>
        (connected.get(userId) ?? []).map((sessionId) => ({ userId, sessionId, gatewayId: "g" })),
      );
      return { connections, gateways: [{ gatewayId: "g", address }] };
    },
  });

  const message = implement(MessageMeshService, {
    appendUserRecord({ userId, idempotencyKey: key, record, attempt }) {
      if (messageAway-- > 0) throw shared.unavailable("NATS is away");
      assert.ok(record?.body.case === "sessionRevoked");
      notices.push({ userId, key, sessionId: record.body.value.sessionId, attempt });
      noticed.emit("notice");
      return { record, duplicate: false };
    },
  });
  const noticeOf = async (sessionId: string) => {
    for (;;) {
      const found = notices.find((each) => each.sessionId === sessionId);
      if (found !== undefined) return found;
      await once(noticed, "notice");
    }
  };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    const user = await openFakeUser();
    doors.push(user);
    auth = await startAuth({
      mongodbUrl: servers.mongodbUrl,
      database: "auth",
      userPort: user.port,
      env: {
        OCEANCHAT_PRESENCE_ADDRESSES: await open(presence),
        OCEANCHAT_MESSAGE_ADDRESSES: await open(message),
      },
    });
  });
  beforeEach(async () => {
    gateway = new FakeGateway();
    address = await open(gateway.registration);
    connected = new Map();
    presenceAway = false;
    messageAway = 0;
  });
  after(async function () {
    this.timeout(60_000);
    await auth?.stop();
    await Promise.all(doors.map((door) => door.close(0)));
    await servers?.stop();
  });

  /** Somebody with a phone and a laptop, both connected. */
  async function somebody() {
    const username = `user-${++named}`;
    const phone = await auth.as().register({ username, password, device: device("phone") });
    const laptop = await auth.as().login({ username, password, device: device("laptop") });
    const ids = [phone.tokens?.sessionId ?? "", laptop.tokens?.sessionId ?? ""] as const;
    connected.set(phone.user?.userId ?? "", [...ids]);
    return {
      userId: phone.user?.userId ?? "",
      username,
      phone: ids[0],
      laptop: ids[1],
      as: auth.as(phone.tokens?.accessToken),
    };
  }

  it("are closed with 4401 by their gateway, and no others", async () => {
    await somebody();
    const { as, phone } = await somebody();
    await as.logout({});
    const closing = await gateway.closing(phone);
    assert.deepEqual(closing, { sessionIds: [phone], code: 4401, reason: "the session is over" });
  });

  it("are closed when all sessions end, when the password changes, when the device logs in again", async () => {
    const ada = await somebody();
    await ada.as.logoutEverywhere({});
    assert.deepEqual((await gateway.closing(ada.phone)).sessionIds, [ada.phone, ada.laptop]);
    const bob = await somebody();
    await bob.as.changePassword({ currentPassword: password, newPassword: "battery staple" });
    assert.deepEqual((await gateway.closing(bob.laptop)).sessionIds, [bob.laptop]);
    const cleo = await somebody();
    await auth.as().login({ username: cleo.username, password, device: device("phone") });
    assert.deepEqual((await gateway.closing(cleo.phone)).sessionIds, [cleo.phone]);
  });

  it("are closed by a second try when the gateway doesn't answer the first, a second later", async () => {
    const { as, phone } = await somebody();
    gateway.silentFor = 1;
    await as.logout({});
    const answeredAt = performance.now();
    // Who waits for the gateway waits 750 ms for its answer.
    const waitedMs = answeredAt - gateway.silentSince;
    assert.ok(waitedMs < 700, `the answer waited for the gateway: ${waitedMs} ms`);
    assert.deepEqual((await gateway.closing(phone)).sessionIds, [phone]);
    // After a second; the rest is for a busy machine.
    assert.ok(performance.now() - answeredAt < 4_000);
  });

  it("are closed by the second try when they weren't in presence yet", async () => {
    const { as, phone } = await somebody();
    const soon = connected;
    connected = new Map();
    await as.logout({});
    connected = soon;
    assert.deepEqual((await gateway.closing(phone)).sessionIds, [phone]);
  });

  it("are named in the user's log, once message can be reached", async () => {
    const { as, userId, phone } = await somebody();
    messageAway = 1;
    await as.logout({});
    assert.deepEqual(await noticeOf(phone), { userId, key: `session:${phone}`, sessionId: phone, attempt: 2 });
    assert.equal(notices.filter(({ sessionId }) => sessionId === phone).length, 1);
  });

  it("don't keep a session from ending while presence or the gateway is away", async () => {
    const ada = await somebody();
    presenceAway = true;
    await ada.as.logout({});
    const bob = await somebody();
    presenceAway = false;
    address = "127.0.0.1:1";
    await bob.as.logout({});
    const { liveSessionIds } = await auth.mesh.getSessions({ sessionIds: [ada.phone, bob.phone, bob.laptop] });
    assert.deepEqual(liveSessionIds, [bob.laptop]);
    assert.deepEqual(gateway.closed, []);
  });
});
