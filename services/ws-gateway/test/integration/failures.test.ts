import assert from "node:assert/strict";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { connectCalls } from "@oceanchat/runtime/calls";
import { GatewayProcess } from "../support/child.ts";
import { packet, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway, Surroundings } from "../support/gateway.ts";
import { FakeRouter, HOST, openDoor, silent } from "../support/mesh.ts";
import { accessToken } from "../support/tokens.ts";

const done = (requestId: number) => packet({ requestId, event: { case: "done", value: {} } });

describe("router failures", () => {
  it("sends to the next router what the first didn't answer", async () => {
    const routers = [new FakeRouter(), new FakeRouter()];
    const doors = await Promise.all(routers.map(({ handlers }) => openDoor(handlers)));
    const gateway = await RunningGateway.start({
      OCEANCHAT_ROUTER_ADDRESSES: doors.map(({ port }) => `${HOST}:${port}`).join(","),
    });
    try {
      for (const router of routers) router.answer = () => new Promise(() => undefined);
      const client = await WsClient.connect(gateway.at.wsPort);
      for (let id = 1; id <= 20; id++) client.socket.send(done(id));
      const used = await Promise.race(
        routers.map(async (router, index) => {
          await router.uplinks.count(20);
          return index;
        }),
      );
      for (const router of routers) router.answer = ({ payload }) => ({ payload });
      await doors[used]?.close(0);
      await client.packets.count(21);
      assert.deepEqual(
        client.packets.all.slice(1).map(({ requestId }) => requestId),
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
      assert.equal(routers[1 - used]?.uplinks.all.length, 20);
    } finally {
      await gateway.stop();
      await Promise.all(doors.map((door) => door.close(0)));
    }
  });

  it("tells the client when no router answers in time, and keeps the connection", async () => {
    const gateway = await RunningGateway.start({ OCEANCHAT_UPLINK_TIMEOUT_MS: "1500" });
    try {
      const client = await WsClient.connect(gateway.at.wsPort);
      gateway.router.answer = () => new Promise(() => undefined);
      client.socket.send(done(1));
      const { value } = await client.event("error");
      assert.deepEqual([value.requestId, value.code, value.reason], [0, 4, "ERROR_REASON_OUTCOME_UNKNOWN"]);
      gateway.router.answer = ({ payload }) => ({ payload });
      client.socket.send(done(2));
      await client.packets.find(({ requestId }) => requestId === 2);
    } finally {
      await gateway.stop();
    }
  });

  it("tells the client when there is no router, in the codec of the connection", async () => {
    const gateway = await RunningGateway.start({
      OCEANCHAT_UPLINK_TIMEOUT_MS: "200",
      OCEANCHAT_ROUTER_ADDRESSES: "127.0.0.1:1",
    });
    try {
      const client = await WsClient.connect(gateway.at.wsPort, { protocols: ["oceanchat.v1.json"] });
      client.socket.send("{}");
      const { value } = await client.event("error");
      assert.deepEqual([value.code, value.reason], [14, "ERROR_REASON_UNAVAILABLE"]);
      assert.ok(value.retryAfter !== undefined);
    } finally {
      await gateway.stop();
    }
  });
});

describe("SIGTERM", () => {
  it("asks clients to go elsewhere, closes them over time with 1012, and leaves nothing behind", async function () {
    this.timeout(30_000);
    const around = new Surroundings();
    const env = await around.open();
    const { gateway, at } = await GatewayProcess.start({
      ...env,
      OCEANCHAT_DRAIN_MS: "2000",
      OCEANCHAT_LOG_LEVEL: "info",
    });
    try {
      const clients = await Promise.all(
        Array.from({ length: 40 }, (_, i) => WsClient.connect(at.wsPort, { token: accessToken({ sub: `user-${i}` }) })),
      );
      const [first] = clients;
      assert.ok(first !== undefined);
      const tcp = await TcpClient.connect(at.tcpPort);
      const healthz = `http://${HOST}:${at.wsPort}/healthz`;
      assert.equal((await fetch(healthz)).status, 200);
      const closedAt: number[] = [];
      const closings = clients.map(async (client) => {
        const closing = await client.closed;
        closedAt.push(performance.now());
        return closing.code;
      });
      gateway.signal("SIGTERM");
      const { value } = await first.event("goAway");
      assert.equal((await fetch(healthz)).status, 503);
      assert.equal((await WsClient.refused(at.wsPort)).status, 503);
      const delayMs = Number(value.reconnectAfter?.seconds ?? 0n) * 1000 + (value.reconnectAfter?.nanos ?? 0) / 1e6;
      assert.ok(delayMs >= 0 && delayMs < 2_000, `${delayMs} ms`);
      assert.deepEqual(new Set(await Promise.all(closings)), new Set([1012]));
      const spreadMs = Math.max(...closedAt) - Math.min(...closedAt);
      assert.ok(spreadMs > 1_000, `all within ${spreadMs} ms`);
      await tcp.ended;
      const last = tcp.packets.all.at(-1)?.event;
      assert.ok(last?.case === "goAway" && /^1012 /.test(last.value.reason) && last.value.reconnectAfter !== undefined);
      assert.equal(await gateway.exited, 0);
      assert.equal(around.presence.of("disconnected").length, 0, "they are on their way elsewhere");
      const end = around.presence.reports.all.at(-1);
      assert.ok(end?.event.case === "lease" && end.event.value.released);
    } finally {
      gateway.signal("SIGKILL");
      await gateway.exited;
      await around.close();
    }
  });

  it("writes what comes for a connection until that is closed, and lives until the last one is", async function () {
    this.timeout(30_000);
    const around = new Surroundings();
    const env = await around.open();
    const { gateway, at } = await GatewayProcess.start({
      ...env,
      OCEANCHAT_DRAIN_MS: "2000",
      OCEANCHAT_LEASE_RENEWAL_MS: "100",
    });
    const addresses = { current: () => [at.address], close: () => undefined };
    const calls = connectCalls({ method: GatewayMeshService.method.deliver, addresses, log: silent });
    try {
      const clients = await Promise.all(
        Array.from({ length: 40 }, (_, i) => WsClient.connect(at.wsPort, { token: accessToken({ sub: `user-${i}` }) })),
      );
      const connectionIds = clients.map(({ connectionId }) => connectionId);
      await calls.call({ connectionIds, payload: done(1) }, { address: at.address }); // the way is known
      gateway.signal("SIGTERM");
      await Promise.all(clients.map((client) => client.event("goAway")));
      await Promise.race(clients.map((client) => client.closed));
      const unheard = around.presence.of("lease").length;
      await calls.call({ connectionIds, payload: done(2) }, { address: at.address });
      await Promise.all(clients.map((client) => client.closed));
      const written = clients.filter(({ packets }) => packets.all.some(({ requestId }) => requestId === 2));
      assert.ok(written.length > 10, `written to ${written.length}`);
      const leases = around.presence.of("lease").slice(unheard);
      assert.ok(leases.length > 2, "renewed while connections are closed");
      assert.ok(leases.slice(0, -1).every(({ event }) => event.case === "lease" && !event.value.released));
      assert.equal(await gateway.exited, 0);
    } finally {
      calls.close();
      gateway.signal("SIGKILL");
      await gateway.exited;
      await around.close();
    }
  });

  it("doesn't wait for clients that don't answer", async function () {
    this.timeout(30_000);
    const around = new Surroundings();
    const env = await around.open();
    const { gateway, at } = await GatewayProcess.start({ ...env, OCEANCHAT_LOG_LEVEL: "info" });
    try {
      const client = await WsClient.connect(at.wsPort);
      client.socket.pause();
      const startedAt = performance.now();
      gateway.signal("SIGTERM");
      assert.equal(await gateway.exited, 0);
      assert.ok(performance.now() - startedAt < 10_000);
      client.socket.resume();
      assert.equal((await client.closed).code, 1012);
    } finally {
      gateway.signal("SIGKILL");
      await gateway.exited;
      await around.close();
    }
  });
});
