import assert from "node:assert/strict";
import { hint, packet, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { heldBufferBytes } from "../support/memory.ts";
import { accessToken } from "../support/tokens.ts";

const KIB = 1024;
const empty = new Uint8Array(0);

/** An encoded packet of about so many bytes. */
const big = (requestId: number, bytes: number) =>
  packet({ requestId, event: { case: "goAway", value: { reason: "x".repeat(bytes) } } });

describe("Deliver", () => {
  let gateway: RunningGateway;
  const sockets: { terminate(): void }[] = [];
  const connect = async (options: Parameters<typeof WsClient.connect>[1] = {}) => {
    const client = await WsClient.connect(gateway.at.wsPort, options);
    sockets.push(client.socket);
    return client;
  };
  const deliver = (connectionIds: string[], payload: Uint8Array, instead: Uint8Array = empty) =>
    gateway.deliver.call({ connectionIds, payload, hint: instead });

  const isLagging = ({ connectionId: id }: WsClient, at = gateway) =>
    at.log.all.some(({ msg, connectionId }) => msg === "too slow for records" && connectionId === id);

  before(async () => {
    // Nobody is closed for being slow while the tests fill the network, however busy the machine is.
    gateway = await RunningGateway.start({ OCEANCHAT_STALL_MS: "60000" });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate();
  });
  after(() => gateway.stop());

  it("writes a packet to many connections, whatever their transport, and names those it doesn't have", async () => {
    const [a, b] = [await connect(), await connect()];
    const tcp = await TcpClient.connect(gateway.at.tcpPort);
    const { event } = await tcp.packets.find(() => true);
    const tcpId = event.case === "hello" ? event.value.connectionId : "";
    const payload = packet({ requestId: 0, event: { case: "hint", value: { conversationId: "g_1", headSeq: 9n } } });
    const { unknownConnectionIds } = await deliver([a.connectionId, "c_nobody", tcpId, b.connectionId], payload);
    assert.deepEqual(unknownConnectionIds, ["c_nobody"]);
    for (const { packets } of [a, b, tcp]) {
      const found = await packets.find(({ event: { case: kind } }) => kind === "hint");
      assert.ok(found.event.case === "hint" && found.event.value.headSeq === 9n);
    }
    tcp.socket.destroy();
  });

  it("keeps the order per connection, for packets of any size", async () => {
    const client = await connect();
    const sizes = [0, 100, 125, 126, 65_500, 65_536, 70_000, 1];
    const wanted = Array.from({ length: 200 }, (_, i) => ({ requestId: i + 1, size: sizes[i % sizes.length] ?? 0 }));
    // In steps, so that the connection doesn't count as slow.
    for (let at = 0; at < wanted.length; at += 8) {
      const step = wanted.slice(at, at + 8);
      await Promise.all(step.map(({ requestId, size }) => deliver([client.connectionId], big(requestId, size))));
      await client.packets.count(at + 9);
    }
    const got = client.packets.all.slice(1).map(({ requestId, event }) => ({
      requestId,
      size: event.case === "goAway" ? event.value.reason.length : -1,
    }));
    assert.deepEqual(got, wanted);
  });

  it("sends a slow reader hints in place of records, and records again when it has caught up", async () => {
    const client = await connect();
    client.socket.pause();
    const ids = [client.connectionId];
    // What the kernel's own buffers take doesn't count; go on until the gateway has begun to send hints.
    let sent = 0;
    while (!isLagging(client)) {
      for (let i = 0; i < 8; i++) await deliver(ids, big(++sent, 64 * KIB), hint(`g_${sent}`));
      assert.ok(sent < 2_000, "never too slow");
    }
    await deliver(ids, big(9_999, 100), hint("g_last"));
    client.socket.resume();
    await client.packets.find(({ event }) => event.case === "hint" && event.value.conversationId === "g_last");
    assert.equal(
      client.packets.all.some(({ requestId }) => requestId === 9_999),
      false,
    );
    // Either the record or its hint came, in order, and nothing was lost.
    const got = client.packets.all.flatMap(({ requestId, event }) =>
      event.case === "hint"
        ? Number(event.value.conversationId.slice(2)) || []
        : event.case === "goAway"
          ? requestId
          : [],
    );
    assert.deepEqual(
      got,
      Array.from({ length: sent }, (_, i) => i + 1),
    );
    for (let tries = 0; tries < 100; tries++) {
      await deliver(ids, big(10_000, 10), hint("g_again"));
      await client.packets.count(sent + 3 + tries);
      if (client.packets.all.some(({ requestId }) => requestId === 10_000)) break;
    }
    assert.ok(
      client.packets.all.some(({ requestId }) => requestId === 10_000),
      "no records any more",
    );
    assert.equal(client.socket.readyState, client.socket.OPEN);
  });

  it("sends a reader that has caught up one hint for each conversation, the newest", async () => {
    const client = await connect();
    client.socket.pause();
    const connectionIds = [client.connectionId];
    while (!isLagging(client)) await deliver(connectionIds, big(1, 64 * KIB));
    for (let seq = 1; seq <= 50; seq++) {
      for (const hintKey of ["g_a", "g_b"]) {
        const payload = big(2, 64 * KIB);
        await gateway.deliver.call({
          connectionIds,
          payload,
          hint: hint(hintKey, BigInt(seq)),
          hintKey,
          hintOrder: BigInt(seq),
        });
      }
    }
    client.socket.resume();
    await client.packets.find(({ event }) => event.case === "hint" && event.value.conversationId === "g_b");
    await deliver(connectionIds, big(3, 10), hint("g_a", 51n));
    await client.packets.find(({ requestId }) => requestId === 3);
    assert.deepEqual(
      client.packets.all
        .flatMap(({ event }) => (event.case === "hint" ? [event.value] : []))
        .map((value) => [value.conversationId, value.headSeq]),
      [
        ["g_a", 50n],
        ["g_b", 50n],
      ],
    );
  });

  it("closes a reader that doesn't catch up in time with 1013", async () => {
    const strict = await RunningGateway.start({ OCEANCHAT_STALL_MS: "1500" });
    try {
      const client = await WsClient.connect(strict.at.wsPort);
      client.socket.pause();
      const connectionIds = [client.connectionId];
      const payload = big(1, 64 * KIB);
      while (!isLagging(client, strict)) await strict.deliver.call({ connectionIds, payload });
      await strict.deliver.call({ connectionIds, payload, hint: hint("g_1") });
      const { code } = await strict.log.find(({ msg }) => msg === "disconnected");
      assert.equal(code, 1013);
      client.socket.resume();
      assert.equal((await client.closed).code, 1013);
      assert.ok(
        client.packets.all.some(({ event }) => event.case === "hint"),
        "no hint",
      );
    } finally {
      await strict.stop();
    }
  });

  it("holds no more than the hard limit for a reader that takes nothing", async () => {
    const client = await connect();
    client.socket.pause();
    const ids = [client.connectionId];
    const before = heldBufferBytes();
    const wideHint = packet({ event: { case: "hint", value: { conversationId: "x".repeat(64 * KIB) } } });
    let highest = 0;
    for (let i = 0; i < 600; i++) {
      const { unknownConnectionIds } = await deliver(ids, big(i, 64 * KIB), wideHint);
      if (i % 10 === 0) highest = Math.max(highest, heldBufferBytes() - before);
      if (unknownConnectionIds.length > 0) break;
    }
    const end = await gateway.log.find(
      ({ msg, connectionId }) => msg === "disconnected" && connectionId === client.connectionId,
    );
    assert.equal(end.code, 1013);
    // Without the limit it would be 38 MiB. What the tests before have left to be closed is in it too.
    assert.ok(highest < 16 * 1024 * KIB, `${highest} bytes`);
  });

  it("leaves out signals to a slow reader", async () => {
    const client = await connect();
    client.socket.pause();
    const ids = [client.connectionId];
    let sent = 0;
    while (!isLagging(client)) await deliver(ids, big(++sent, 64 * KIB));
    const signal = packet({
      requestId: 77_777,
      event: { case: "signal", value: { kind: { case: "typing", value: { active: true } } } },
    });
    const { unknownConnectionIds } = await deliver(ids, signal);
    assert.deepEqual(unknownConnectionIds, []);
    await deliver(ids, big(++sent, 10), hint("g_end"));
    client.socket.resume();
    await client.packets.find(({ event }) => event.case === "hint");
    assert.equal(
      client.packets.all.some(({ requestId }) => requestId === 77_777),
      false,
    );
  });
});

describe("CloseConnections", () => {
  let gateway: RunningGateway;

  before(async () => {
    gateway = await RunningGateway.start();
  });
  after(() => gateway.stop());

  it("closes connections by id and by session, with the code and reason given", async () => {
    const { wsPort } = gateway.at;
    const token = accessToken({ sid: "session-x" });
    const [a, b] = [await WsClient.connect(wsPort, { token }), await WsClient.connect(wsPort, { token })];
    const [c, d] = [await WsClient.connect(wsPort), await WsClient.connect(wsPort)];
    const { closed } = await gateway.call.closeConnections({
      connectionIds: [c.connectionId, "c_nobody"],
      sessionIds: ["session-x", "session-nobody"],
      code: 4401,
      reason: "session revoked",
    });
    assert.equal(closed, 3);
    for (const client of [a, b, c]) {
      assert.deepEqual(await client.closed, { code: 4401, reason: "session revoked" });
    }
    assert.equal(d.socket.readyState, d.socket.OPEN);
    const { unknownConnectionIds } = await gateway.deliver.call({
      connectionIds: [c.connectionId],
      payload: empty,
      hint: empty,
    });
    assert.deepEqual(unknownConnectionIds, [c.connectionId]);
    d.socket.terminate();
  });

  it("says on TCP why, in the last packet", async () => {
    const client = await TcpClient.connect(gateway.at.tcpPort);
    const { event } = await client.packets.find(() => true);
    const id = event.case === "hello" ? event.value.connectionId : "";
    await gateway.call.closeConnections({ connectionIds: [id], code: 4409, reason: "replaced" });
    await client.ended;
    const last = client.packets.all.at(-1)?.event;
    assert.ok(last?.case === "goAway");
    assert.equal(last.value.reason, "4409 replaced");
    assert.equal(last.value.reconnectAfter, undefined);
  });

  it("refuses codes that may not be sent", async () => {
    for (const code of [999, 1005, 1006, 1015, 2000, 5000]) {
      await assert.rejects(gateway.call.closeConnections({ connectionIds: ["c_1"], code }), {
        reason: "ERROR_REASON_INVALID_FIELD",
      });
    }
  });
});
