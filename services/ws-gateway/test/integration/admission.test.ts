import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { connectPacket, packet, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { accessToken } from "../support/tokens.ts";

const done = (requestId: number) => packet({ requestId, event: { case: "done", value: {} } });

describe("a new connection's session", () => {
  let gateway: RunningGateway;

  beforeEach(async () => {
    gateway = await RunningGateway.start({ OCEANCHAT_LEASE_RENEWAL_MS: "100" });
    gateway.auth.dead.add("over");
  });
  afterEach(() => gateway.stop());

  it("that has ended gets 4401 before hello, forwards nothing, and isn't told to presence", async () => {
    const { at, auth, presence, router } = gateway;
    const client = await WsClient.upgrade(at.wsPort, { token: accessToken({ sid: "over", sub: "gone" }) });
    client.socket.send(done(1));
    assert.deepEqual(await client.closed, { code: 4401, reason: "the session is over" });
    assert.equal(client.packets.all.length, 0);
    // What would be reported or forwarded for it would come before what another connection brings.
    const other = await WsClient.connect(at.wsPort, { token: accessToken({ sid: "lives" }) });
    other.socket.send(done(2));
    await other.packets.find(({ requestId }) => requestId === 2);
    assert.deepEqual(auth.asked.all, [["over"], ["lives"]]);
    const told = presence.reports.all.map(({ event }) => event.case).filter((kind) => kind !== "lease");
    assert.deepEqual(told, ["connected"]);
    assert.equal(router.uplinks.all.length, 1);
  });

  it("that has ended gets 4401 over TCP", async () => {
    const client = await TcpClient.open(gateway.at.tcpPort);
    client.send(connectPacket(accessToken({ sid: "over" })));
    await client.ended;
    const [first, ...more] = client.packets.all;
    assert.ok(first?.event.case === "goAway");
    assert.match(first.event.value.reason, /^4401 /);
    assert.equal(first.event.value.reconnectAfter, undefined);
    assert.deepEqual(more, []);
  });

  it("lives as far as is known when auth says nothing", async () => {
    const { at, auth, log } = gateway;
    auth.sessionsReady = () => new Promise<never>(() => undefined);
    const connectMs = async () => {
      const since = performance.now();
      await WsClient.connect(at.wsPort, { token: accessToken({ sid: "over" }) });
      return performance.now() - since;
    };
    const firstMs = await connectMs();
    assert.ok(firstMs > 900 && firstMs < 4_000, `${firstMs} ms`);
    await log.find(({ msg }) => msg === "connections are taken without asking whether their sessions live");
    const secondMs = await connectMs();
    assert.ok(secondMs < 950, `${secondMs} ms: it waited for auth again`);
    auth.sessionsReady = () => Promise.reject(shared.unavailable("the store is away"));
    await connectMs();
  });

  it("isn't told to presence, which asks for all connections, before auth has answered", async () => {
    const { at, auth, presence } = gateway;
    const held = Promise.withResolvers<void>();
    const known = await WsClient.connect(at.wsPort);
    auth.sessionsReady = () => held.promise;
    const client = await WsClient.upgrade(at.wsPort, { token: accessToken({ sid: "over" }) });
    await auth.asked.find(([id]) => id === "over");
    let lost = true;
    presence.answer = ({ event }) => {
      if (event.case !== "lease" || !lost) return {};
      lost = false;
      return { reportAll: true };
    };
    await presence.reports.find(() => presence.of("connected").length === 2);
    held.resolve();
    assert.equal((await client.closed).code, 4401);
    const reported = presence
      .of("connected")
      .map(({ event }) => event.case === "connected" && event.value.connectionId);
    assert.deepEqual(reported, [known.connectionId, known.connectionId]);
  });
});
