import assert from "node:assert/strict";
import { create, fromBinary } from "@bufbuild/protobuf";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { ReplySchema } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { implement } from "@oceanchat/runtime/handlers";
import { packet, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { Arrivals, HOST, openDoor } from "../support/mesh.ts";
import { accessToken } from "../support/tokens.ts";

const done = (requestId: number) => packet({ requestId, event: { case: "done", value: {} } });

describe("gateway and presence", () => {
  let gateway: RunningGateway;
  const start = async (env: Record<string, string> = {}) => {
    gateway = await RunningGateway.start(env);
    return gateway;
  };
  const upgrade = (options: Parameters<typeof WsClient.upgrade>[1] = {}) =>
    WsClient.upgrade(gateway.at.wsPort, options);
  const connect = (options: Parameters<typeof WsClient.connect>[1] = {}) =>
    WsClient.connect(gateway.at.wsPort, options);

  afterEach(() => gateway.stop());

  it("has a lease before it takes a connection, renews it, and releases it at the end", async () => {
    const { presence, at } = await start({ OCEANCHAT_LEASE_RENEWAL_MS: "100" });
    const [first] = presence.reports.all;
    assert.ok(first?.event.case === "lease");
    assert.equal(first.gatewayId, at.gatewayId);
    assert.equal(first.event.value.address, at.address);
    assert.match(at.address, /^127\.0\.0\.1:\d+$/);
    await connect();
    await presence.reports.find(({ event }) => event.case === "lease" && event.value.connections === 1);
    await gateway.stop();
    const last = presence.of("lease").at(-1);
    assert.ok(last?.event.case === "lease" && last.event.value.released);
  });

  it("says hello only when presence has heard, and sends packets on only after it", async () => {
    const { presence, router } = await start();
    const held = Promise.withResolvers<void>();
    presence.answer = async ({ event }) => {
      if (event.case === "connected") await held.promise;
      return {};
    };
    const client = await upgrade();
    client.socket.send(done(1));
    client.socket.send(Buffer.alloc(0));
    client.socket.send(done(2));
    await presence.reports.find(({ event }) => event.case === "connected");
    // What could come too early would come before the answer to this ping.
    const pong = new Promise((resolve) => client.socket.once("pong", resolve));
    client.socket.ping();
    await Promise.race([pong, new Promise((resolve) => setTimeout(resolve, 100))]);
    assert.equal(client.packets.all.length, 0);
    assert.equal(client.heartbeats.all.length, 0);
    assert.equal(router.uplinks.all.length, 0);
    held.resolve();
    await client.packets.count(3);
    assert.deepEqual(
      client.packets.all.map(({ event, requestId }) => [event.case, requestId]),
      [
        ["hello", 0],
        ["done", 1],
        ["done", 2],
      ],
    );
  });

  it("says hello only when presence knows the gateway too, and tells it again soon", async () => {
    let knows = false;
    const slow = { OCEANCHAT_LEASE_RENEWAL_MS: "10000", OCEANCHAT_HELLO_WAIT_MS: "8000" };
    gateway = await RunningGateway.start(slow, ({ presence }) => {
      presence.answer = ({ event }) => {
        if (event.case === "lease" && !knows) throw shared.unavailable("starting");
        return {};
      };
    });
    const { presence } = gateway;
    const client = await upgrade();
    await presence.reports.find(({ event }) => event.case === "connected");
    const told = presence.of("lease").length;
    await presence.reports.find(() => presence.of("lease").length > told + 1);
    assert.equal(client.packets.all.length, 0, "a connection of a gateway that isn't known is nobody's");
    knows = true;
    const startedAt = performance.now();
    await client.packets.count(1);
    // Hello without presence would come 8 s after the connection, the next renewal later still.
    assert.ok(performance.now() - startedAt < 4_000, "it wasn't told soon");
  });

  it("says hello after a while when presence doesn't answer", async () => {
    const { presence } = await start({ OCEANCHAT_HELLO_WAIT_MS: "150" });
    presence.answer = () => new Promise<never>(() => undefined);
    const startedAt = performance.now();
    const client = await connect();
    const waitedMs = performance.now() - startedAt;
    assert.ok(waitedMs >= 145 && waitedMs < 1_900, `${waitedMs} ms`);
    client.socket.send(done(1));
    await client.packets.find(({ requestId }) => requestId === 1);
  });

  it("says hello first when a delivery overtakes presence's answer", async () => {
    const { presence, deliver } = await start();
    presence.answer = ({ event }) =>
      event.case === "connected" ? new Promise<never>(() => undefined) : Promise.reject(shared.unavailable("later"));
    const client = await upgrade();
    const { event } = await presence.reports.find(({ event }) => event.case === "connected");
    const id = event.case === "connected" ? event.value.connectionId : "";
    await deliver.call({ connectionIds: [id], payload: done(8), hint: new Uint8Array(0) });
    await client.packets.count(2);
    assert.deepEqual(
      client.packets.all.map(({ event }) => event.case),
      ["hello", "done"],
    );
  });

  it("goes on reporting until presence hears", async () => {
    const { presence } = await start({ OCEANCHAT_HELLO_WAIT_MS: "50" });
    let away = true;
    presence.answer = () => (away ? Promise.reject(shared.unavailable("away")) : {});
    const [a, b] = [await connect(), await connect()];
    a.socket.close();
    await a.closed;
    away = false;
    const since = presence.reports.all.length;
    const later = () => presence.reports.all.slice(since);
    await presence.reports.find(
      (report) =>
        later().includes(report) &&
        report.event.case === "connected" &&
        report.event.value.connectionId === b.connectionId,
    );
    // It may have heard of the first one: the report failed, but that doesn't mean that it had no effect.
    await presence.reports.find(
      (report) =>
        later().includes(report) &&
        report.event.case === "disconnected" &&
        report.event.value.connectionId === a.connectionId,
    );
  });

  it("doesn't ask again what presence refuses", async () => {
    const { presence, log } = await start();
    presence.answer = ({ event }) => (event.case === "connected" ? Promise.reject(shared.malformed("what?")) : {});
    const client = await connect();
    await log.find(({ msg }) => msg === "presence refuses a report");
    client.socket.close();
    await presence.reports.find(({ event }) => event.case === "disconnected");
    assert.equal(presence.of("connected").length, 1);
  });

  it("reports all connections again when presence has lost the lease", async () => {
    const { presence } = await start({ OCEANCHAT_LEASE_RENEWAL_MS: "100" });
    const clients = await Promise.all([connect(), connect(), connect()]);
    let lost = true;
    const since = presence.reports.all.length;
    presence.answer = ({ event }) => {
      if (event.case !== "lease" || !lost) return {};
      lost = false;
      return { reportAll: true };
    };
    for (const { connectionId } of clients) {
      await presence.reports.find(
        (report) =>
          presence.reports.all.indexOf(report) >= since &&
          report.event.case === "connected" &&
          report.event.value.connectionId === connectionId,
      );
    }
    assert.equal(presence.of("connected").length, 6);
  });

  it("keeps for a connection what the router says, and tells presence of it when all is reported again", async () => {
    const { presence, router } = await start({ OCEANCHAT_LEASE_RENEWAL_MS: "100" });
    const replies = new Map([
      [1, { payload: done(1), keep: Uint8Array.of(1) }],
      [2, { payload: done(2), keep: Uint8Array.of(2, 0, 255) }],
      [3, { payload: done(3) }],
      [4, { payload: done(4), keep: new Uint8Array(16 * 1024 + 1) }],
      [5, { payload: done(5), keep: new Uint8Array(0) }],
    ]);
    router.answer = ({ payload }) =>
      create(ReplySchema, replies.get(fromBinary(ServerPacketSchema, payload).requestId) ?? { payload });
    const [one, other] = [await connect(), await connect()];
    const ask = async (client: WsClient, requestId: number) => {
      client.socket.send(done(requestId));
      await client.packets.find((each) => each.requestId === requestId);
    };
    for (const requestId of [1, 2, 3, 4]) await ask(one, requestId);
    await ask(other, 1);
    await ask(other, 5);
    const since = presence.reports.all.length;
    let lost = true;
    presence.answer = ({ event }) => {
      if (event.case !== "lease" || !lost) return {};
      lost = false;
      return { reportAll: true };
    };
    const keptOf = async (client: WsClient) => {
      const { event } = await presence.reports.find(
        (report) =>
          presence.reports.all.indexOf(report) >= since &&
          report.event.case === "connected" &&
          report.event.value.connectionId === client.connectionId,
      );
      return event.case === "connected" ? [...event.value.kept] : undefined;
    };
    assert.deepEqual([await keptOf(one), await keptOf(other)], [[2, 0, 255], []]);
  });

  it("closes the connections that a new one replaces, here and at other gateways", async () => {
    const { presence, at } = await start();
    const old = await connect();
    const asked = new Arrivals<{ connectionIds: string[]; code: number }>();
    const other = await openDoor(
      implement(GatewayMeshService, {
        closeConnections: ({ connectionIds, code }) => {
          asked.add({ connectionIds, code });
          return { closed: 1 };
        },
      }),
    );
    try {
      const address = `${HOST}:${other.port}`;
      presence.answer = ({ event }) => {
        if (event.case !== "connected") return {};
        return {
          replaced: [
            { connectionId: old.connectionId, gatewayId: at.gatewayId, address: at.address },
            { connectionId: "c_elsewhere", gatewayId: "other-1", address },
          ],
        };
      };
      await connect();
      assert.equal((await old.closed).code, 4409);
      await asked.count(1);
      assert.deepEqual(asked.all, [{ connectionIds: ["c_elsewhere"], code: 4409 }]);
    } finally {
      await other.close(0);
    }
  });

  it("closes connections whose sessions have ended, and asks for each session once", async () => {
    const { auth } = await start({ OCEANCHAT_SESSION_CHECK_MS: "150" });
    const token = accessToken({ sid: "ends" });
    const [a, b] = [await connect({ token }), await connect({ token })];
    const c = await connect({ token: accessToken({ sid: "lives" }) });
    const round = await auth.asked.find((ids) => ids.length > 1);
    assert.deepEqual([...round].sort(), ["ends", "lives"]);
    auth.dead.add("ends");
    for (const client of [a, b]) assert.equal((await client.closed).code, 4401);
    assert.equal(c.socket.readyState, c.socket.OPEN);
  });
});
