import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connectPacket, packet, type Refusal, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { HOST } from "../support/mesh.ts";
import { accessToken } from "../support/tokens.ts";

const done = (requestId: number) => packet({ requestId, event: { case: "done", value: {} } });

describe("limits", () => {
  let gateway: RunningGateway;
  const start = async (env: Record<string, string> = {}) => {
    gateway = await RunningGateway.start(env);
    return gateway;
  };
  const connect = (token = accessToken()) => WsClient.connect(gateway.at.wsPort, { token });

  afterEach(() => gateway.stop());

  it("closes with 1009 on a frame of 65 KiB, and takes one of 64 KiB", async () => {
    const { router } = await start();
    router.answer = () => ({ payload: done(5) });
    const client = await connect();
    client.socket.send(Buffer.alloc(64 * 1024, 1));
    await client.packets.find(({ requestId }) => requestId === 5);
    client.socket.send(Buffer.alloc(65 * 1024, 1));
    assert.equal((await client.closed).code, 1009);
    const { presence } = gateway;
    await presence.reports.find(({ event }) => event.case === "disconnected");
  });

  it("takes a message in fragments of one byte", async () => {
    await start();
    const client = await connect();
    const bytes = done(6);
    for (const [index, byte] of bytes.entries()) {
      client.socket.send(Uint8Array.of(byte), { fin: index === bytes.length - 1, binary: true });
    }
    await client.packets.find(({ requestId }) => requestId === 6);
  });

  it("takes a message in TCP segments of one byte", async () => {
    await start();
    const client = await connect();
    const socket = socketOf(client);
    socket.setNoDelay(true);
    const masked = Buffer.concat([Buffer.of(0x82, 0x80 | done(7).length, 0, 0, 0, 0), done(7)]);
    for (const byte of masked) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.packets.find(({ requestId }) => requestId === 7);
  });

  it("closes on 10,000 continuation frames", async () => {
    await start();
    const client = await connect();
    for (let i = 0; i < 10_000; i++) client.socket.send(Uint8Array.of(1), { fin: false, binary: true });
    assert.equal((await client.closed).code, 1008);
  });

  it("closes on bytes that are no frame", async () => {
    await start();
    const client = await connect();
    socketOf(client).write(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    assert.equal((await client.closed).code, 1002);
    const text = await WsClient.connect(gateway.at.wsPort, { protocols: ["oceanchat.v1.json"] });
    text.socket.send(Uint8Array.of(0xff, 0xfe), { binary: false });
    assert.equal((await text.closed).code, 1007);
  });

  it("survives a flood of pings and heartbeats, and answers others meanwhile", async () => {
    await start({ OCEANCHAT_CONNECTION_PACKETS_BURST: "50", OCEANCHAT_CONNECTION_PACKETS_PER_SECOND: "100" });
    const [flood, other] = [await connect(), await connect()];
    const ping = Buffer.of(0x89, 0x80, 0, 0, 0, 0);
    const heartbeat = Buffer.of(0x82, 0x80, 0, 0, 0, 0);
    socketOf(flood).write(Buffer.concat(Array.from({ length: 5_000 }, (_, i) => (i % 2 === 0 ? ping : heartbeat))));
    other.socket.send(done(3));
    await other.packets.find(({ requestId }) => requestId === 3);
    assert.ok(flood.heartbeats.all.length <= 50, `${flood.heartbeats.all.length} answers`);
  });

  it("waits with the packets of a connection that sends too fast, and forwards them all in the end", async () => {
    const { router } = await start({
      OCEANCHAT_CONNECTION_PACKETS_BURST: "10",
      OCEANCHAT_CONNECTION_PACKETS_PER_SECOND: "100",
    });
    const client = await connect();
    const startedAt = performance.now();
    for (let id = 1; id <= 40; id++) client.socket.send(done(id));
    await router.uplinks.count(40);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs > 250 && tookMs < 6_000, `${tookMs} ms`);
    await client.packets.count(41);
    assert.equal(client.socket.readyState, client.socket.OPEN);
  });

  it("waits when too many bytes come", async () => {
    const { router } = await start({
      OCEANCHAT_CONNECTION_BYTES_BURST: "65536",
      OCEANCHAT_CONNECTION_BYTES_PER_SECOND: "131072",
    });
    router.answer = () => ({ payload: new Uint8Array(0) });
    const client = await connect();
    const startedAt = performance.now();
    for (let i = 0; i < 4; i++) client.socket.send(Buffer.alloc(32 * 1024, 1));
    await router.uplinks.count(4);
    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs > 200 && tookMs < 6_000, `${tookMs} ms`);
  });

  it("closes with 4429 on thousands of tiny packets at once", async () => {
    await start();
    const client = await connect();
    const tiny = Buffer.of(0x82, 0x81, 0, 0, 0, 0, 1);
    socketOf(client).write(Buffer.concat(Array.from({ length: 20_000 }, () => tiny)));
    assert.equal((await client.closed).code, 4429);
  });

  const big = packet({ event: { case: "goAway", value: { reason: "x".repeat(60 * 1024) } } });

  it("reads no more while the router owes too many answers, and loses nothing", async () => {
    const { router } = await start({
      OCEANCHAT_CONNECTION_PACKETS_IN_FLIGHT: "4",
      OCEANCHAT_CONNECTION_BYTES_BURST: "1000000000",
    });
    const held = Promise.withResolvers<void>();
    router.answer = async ({ payload }) => {
      await held.promise;
      return { payload };
    };
    const client = await connect();
    for (let id = 1; id <= 50; id++) client.socket.send(done(id));
    // More than the network's buffers hold: what is not read stays with the client.
    for (let i = 0; i < 400; i++) client.socket.send(big);
    await router.uplinks.count(4);
    const other = await connect(accessToken({ sub: "user-2" }));
    other.socket.send(done(99));
    await router.uplinks.find(({ userId }) => userId === "user-2");
    assert.equal(router.uplinks.all.length, 5);
    assert.ok(client.socket.bufferedAmount > 1024 * 1024, `${client.socket.bufferedAmount} bytes unsent`);
    held.resolve();
    await client.packets.count(451);
    assert.equal(client.socket.bufferedAmount, 0);
    assert.deepEqual(
      client.packets.all.slice(1, 51).map(({ requestId }) => requestId),
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  it("closes a user's connections beyond his number with 4429, and counts again when one has gone", async () => {
    await start({ OCEANCHAT_MAX_CONNECTIONS_PER_USER: "2" });
    const [first] = [await connect(), await connect()];
    const third = await WsClient.upgrade(gateway.at.wsPort);
    assert.equal((await third.closed).code, 4429);
    const tcp = await TcpClient.open(gateway.at.tcpPort);
    tcp.send(connectPacket(accessToken()));
    const { event } = await tcp.packets.find(() => true);
    assert.ok(event.case === "goAway" && /^4429 /.test(event.value.reason));
    await tcp.ended;
    await connect(accessToken({ sub: "user-2" }));
    first.socket.terminate();
    await gateway.presence.reports.find(({ event: { case: kind } }) => kind === "disconnected");
    await connect();
  });

  it("refuses connections beyond its own number with 503", async () => {
    await start({ OCEANCHAT_MAX_CONNECTIONS: "2" });
    await connect();
    await connect();
    const refusal: Refusal = await WsClient.refused(gateway.at.wsPort);
    assert.equal(refusal.status, 503);
    const [info] = refusal.body.details;
    assert.deepEqual([info?.reason, info?.domain], ["ERROR_REASON_TOO_MANY_CONNECTIONS", "gateway.oceanchat"]);
    assert.equal(refusal.headers["retry-after"], "5");
  });

  it("answers 503 while there are no keys to check tokens with", async () => {
    await start({ OCEANCHAT_AUTH_ADDRESSES: "127.0.0.1:1" });
    const { status, body } = await WsClient.refused(gateway.at.wsPort);
    assert.equal(status, 503);
    assert.equal(body.code, 14);
  });

  it("closes a connection from which nothing comes, and keeps one that sends heartbeats", async () => {
    await start({ OCEANCHAT_IDLE_MS: "1500" });
    const [idle, alive] = [await connect(), await connect()];
    const beat = setInterval(() => alive.socket.send(Buffer.alloc(0)), 100);
    try {
      assert.equal((await idle.closed).code, 1001);
      assert.equal(alive.socket.readyState, alive.socket.OPEN);
    } finally {
      clearInterval(beat);
    }
  });

  it("closes a TCP connection whose other side has vanished", async () => {
    await start({ OCEANCHAT_IDLE_MS: "300" });
    const client = await TcpClient.connect(gateway.at.tcpPort);
    // Neither reads nor writes nor ends, as if the cable were cut.
    client.socket.pause();
    await gateway.presence.reports.find(({ event }) => event.case === "disconnected");
    client.socket.destroy();
  });

  it("ends an upgrade that is sent byte by byte for ever", async () => {
    await start({ OCEANCHAT_HANDSHAKE_MS: "300" });
    const socket = connectTcp(gateway.at.wsPort, HOST);
    await once(socket, "connect");
    socket.on("error", () => undefined);
    // Not `once`, which rejects on errors: a drip may come when the other side has just closed.
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    const drip = setInterval(() => socket.write("x"), 50);
    socket.write("GET /ws HTTP/1.1\r\nX-Slow: ");
    await closed;
    clearInterval(drip);
  });

  it("survives clients that go away during the upgrade", async () => {
    await start();
    const sockets: Socket[] = [];
    const request = `GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: oceanchat.v1\r\nAuthorization: Bearer ${accessToken()}\r\n\r\n`;
    for (let i = 0; i < 50; i++) {
      const socket = connectTcp(gateway.at.wsPort, HOST);
      socket.on("error", () => undefined);
      sockets.push(socket);
      socket.write(request, () => socket.resetAndDestroy());
    }
    await Promise.all(sockets.map((socket) => once(socket, "close")));
    await connect();
  });
});

/** The client's own socket, to write what `ws` wouldn't. */
function socketOf({ socket }: WsClient): Socket {
  const inner: unknown = Reflect.get(socket, "_socket");
  if (inner === null || typeof inner !== "object") throw new Error("not connected");
  return inner as Socket;
}
