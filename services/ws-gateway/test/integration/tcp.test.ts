import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { ClientPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { frame } from "../../src/core/frames.ts";
import { connectPacket, packet, TcpClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { accessToken } from "../support/tokens.ts";

describe("TCP", () => {
  let gateway: RunningGateway;
  let port = 0;
  const clients: TcpClient[] = [];
  const open = async (codec: Codec = Codec.BINARY) => {
    const client = await TcpClient.open(port, codec);
    clients.push(client);
    return client;
  };
  const connect = async (codec: Codec = Codec.BINARY, token = accessToken()) => {
    const client = await TcpClient.connect(port, codec, token);
    clients.push(client);
    return client;
  };

  before(async () => {
    gateway = await RunningGateway.start();
    port = gateway.at.tcpPort;
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.destroy();
  });
  after(() => gateway.stop());

  for (const codec of [Codec.BINARY, Codec.JSON] as const) {
    it(`carries packets in codec ${codec}`, async () => {
      const client = await connect(codec, accessToken({ sub: `tcp-${codec}` }));
      const bytes =
        codec === Codec.JSON
          ? Buffer.from('{"requestId":4,"done":{}}')
          : packet({ requestId: 4, event: { case: "done", value: {} } });
      client.send(bytes);
      await client.packets.find(({ requestId }) => requestId === 4);
      const uplink = await gateway.router.uplinks.find(({ userId }) => userId === `tcp-${codec}`);
      assert.equal(uplink.codec, codec);
      assert.deepEqual(Buffer.from(uplink.payload), Buffer.from(bytes));
    });
  }

  it("takes an unspecified codec for binary", async () => {
    const client = await connect(Codec.UNSPECIFIED, accessToken({ sub: "tcp-0" }));
    client.send(Uint8Array.of(8, 4));
    const uplink = await gateway.router.uplinks.find(({ userId }) => userId === "tcp-0");
    assert.equal(uplink.codec, Codec.BINARY);
  });

  it("answers an empty frame with an empty frame", async () => {
    const client = await connect();
    client.send(new Uint8Array(0));
    await client.frames.find(({ length }) => length === 0);
  });

  it("reads frames in whatever pieces they come", async () => {
    const client = await open();
    client.socket.setNoDelay(true);
    const bytes = Buffer.concat([
      frame("length prefix", connectPacket(accessToken())),
      frame("length prefix", packet({ requestId: 41, event: { case: "done", value: {} } })),
      frame("length prefix", packet({ requestId: 42, event: { case: "done", value: {} } })),
    ]);
    for (const byte of bytes) {
      client.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.packets.find(({ requestId }) => requestId === 42);
    assert.deepEqual(
      client.packets.all.map(({ requestId }) => requestId),
      [0, 41, 42],
    );
  });

  it("takes packets that come right behind the first, in order, after hello", async () => {
    const client = await open();
    const frames = [connectPacket(accessToken())];
    for (let id = 1; id <= 100; id++) frames.push(packet({ requestId: id, event: { case: "done", value: {} } }));
    client.socket.write(Buffer.concat(frames.map((payload) => frame("length prefix", payload))));
    await client.packets.count(101);
    assert.deepEqual(
      client.packets.all.map(({ requestId }) => requestId),
      Array.from({ length: 101 }, (_, i) => i),
    );
  });

  it("leaves in the network what comes while the token is checked", async () => {
    const slow = await RunningGateway.start({
      OCEANCHAT_CONNECTION_PACKETS_BURST: "10000",
      OCEANCHAT_CONNECTION_PACKETS_PER_SECOND: "10000",
    });
    try {
      const keys = Promise.withResolvers<void>();
      slow.auth.keysReady = keys.promise;
      const client = await TcpClient.open(slow.at.tcpPort);
      client.send(connectPacket(accessToken()));
      const padding = "x".repeat(100);
      for (let id = 1; id <= 5_000; id++) {
        client.send(packet({ requestId: id, event: { case: "goAway", value: { reason: padding } } }));
        if (id % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      keys.resolve();
      await client.packets.count(5_001);
      assert.ok(client.packets.all.every(({ requestId }, index) => requestId === index));
      client.socket.destroy();
    } finally {
      await slow.stop();
    }
  });

  async function errorOf(client: TcpClient) {
    const { event } = await client.packets.find(() => true);
    assert.ok(event.case === "error", `the first packet is ${event.case}`);
    await client.ended;
    assert.equal(client.packets.all.length, 1);
    return event.value;
  }

  it("refuses a bad token and ends", async () => {
    const client = await open();
    client.send(connectPacket("abc"));
    const { code, reason } = await errorOf(client);
    assert.deepEqual([code, reason], [16, "ERROR_REASON_TOKEN_INVALID"]);
  });

  it("refuses in the codec that was asked for", async () => {
    const client = await open(Codec.JSON);
    client.send(connectPacket("abc", Codec.JSON));
    assert.equal((await errorOf(client)).reason, "ERROR_REASON_TOKEN_INVALID");
  });

  it("refuses whoever says nothing in time, and whoever begins and doesn't go on", async () => {
    const hasty = await RunningGateway.start({ OCEANCHAT_HANDSHAKE_MS: "300" });
    try {
      const [silent, slow] = [await TcpClient.open(hasty.at.tcpPort), await TcpClient.open(hasty.at.tcpPort)];
      slow.socket.write(Uint8Array.of(0, 0, 1));
      for (const client of [silent, slow]) {
        assert.equal((await errorOf(client)).reason, "ERROR_REASON_TOKEN_INVALID");
      }
    } finally {
      await hasty.stop();
    }
  });

  for (const [what, payload] of [
    [
      "another packet",
      toBinary(ClientPacketSchema, create(ClientPacketSchema, { command: { case: "sync", value: {} } })),
    ],
    ["bytes that are no packet", Uint8Array.of(0xff, 0xff)],
    ["an empty frame", new Uint8Array(0)],
  ] as const) {
    it(`refuses ${what} as the first frame`, async () => {
      const client = await open();
      client.send(payload);
      assert.equal((await errorOf(client)).reason, "ERROR_REASON_MALFORMED");
    });
  }

  it("refuses a first frame that is larger than a token can be", async () => {
    const client = await open();
    client.socket.write(Uint8Array.of(0, 0, 0x40, 0));
    assert.equal((await errorOf(client)).reason, "ERROR_REASON_MALFORMED");
  });

  it("closes on a frame of more than 64 KiB, and takes one of 64 KiB", async () => {
    const client = await connect();
    gateway.router.answer = () => ({ payload: packet({ requestId: 9, event: { case: "done", value: {} } }) });
    try {
      client.send(new Uint8Array(65_536));
      await client.packets.find(({ requestId }) => requestId === 9);
    } finally {
      gateway.router.answer = ({ payload }) => ({ payload });
    }
    client.send(new Uint8Array(65_537));
    const { event } = await client.packets.find(({ event: { case: kind } }) => kind === "goAway");
    assert.ok(event.case === "goAway");
    assert.match(event.value.reason, /^1009 /);
    assert.equal(event.value.reconnectAfter, undefined);
    await client.ended;
  });

  it("notices a client that ends its side", async () => {
    const client = await connect(Codec.BINARY, accessToken({ sub: "tcp-end" }));
    client.socket.end();
    await gateway.presence.reports.find(
      ({ event }) => event.case === "disconnected" && event.value.userId === "tcp-end",
    );
    await client.ended;
  });

  it("notices a client that is reset", async () => {
    const client = await connect(Codec.BINARY, accessToken({ sub: "tcp-reset" }));
    client.socket.resetAndDestroy();
    await gateway.presence.reports.find(
      ({ event }) => event.case === "disconnected" && event.value.userId === "tcp-reset",
    );
  });
});
