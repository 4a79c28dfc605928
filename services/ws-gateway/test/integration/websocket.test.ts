import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { fromJsonString } from "@bufbuild/protobuf";
import { ServerPacketSchema } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { shared } from "@oceanchat/runtime/fail";
import { packet, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { HOST } from "../support/mesh.ts";
import { accessToken } from "../support/tokens.ts";

describe("WebSocket", () => {
  let gateway: RunningGateway;
  let port = 0;
  const clients: WsClient[] = [];
  const connect = async (options: Parameters<typeof WsClient.connect>[1] = {}) => {
    const client = await WsClient.connect(port, options);
    clients.push(client);
    return client;
  };

  before(async () => {
    gateway = await RunningGateway.start();
    port = gateway.at.wsPort;
  });
  afterEach(() => {
    for (const { socket } of clients.splice(0)) socket.terminate();
  });
  after(() => gateway.stop());

  it("says hello and tells presence", async () => {
    const client = await connect({
      token: accessToken({ sub: "user-9", sid: "s-9", did: "d-9", plat: "PLATFORM_IOS" }),
    });
    const hello = await client.hello();
    assert.match(hello.connectionId, /^c_[A-Za-z0-9_-]{22}$/);
    assert.match(hello.gatewayId, /^ws-gateway-7-[0-9a-f]{6}$/);
    assert.equal(hello.gatewayId, gateway.at.gatewayId);
    assert.equal(hello.heartbeatInterval?.seconds, 30n);
    assert.ok(Math.abs(Number(hello.serverTime?.seconds ?? 0n) - Date.now() / 1000) < 60);
    const { maxFrameBytes, maxTextBytes, packetsPerSecond, packetsBurst, maxMentions } = hello.limits ?? {};
    assert.deepEqual(
      [maxFrameBytes, maxTextBytes, packetsPerSecond, packetsBurst, maxMentions],
      [65_536, 8_192, 100, 200, 50],
    );
    const report = await gateway.presence.reports.find(
      ({ event }) => event.case === "connected" && event.value.userId === "user-9",
    );
    assert.equal(report.gatewayId, gateway.at.gatewayId);
    assert.ok(report.event.case === "connected");
    const { connectionId, gatewayId, sessionId, deviceId, platform, codec } = report.event.value;
    assert.deepEqual(
      { connectionId, gatewayId, sessionId, deviceId, platform, codec },
      {
        connectionId: hello.connectionId,
        gatewayId: hello.gatewayId,
        sessionId: "s-9",
        deviceId: "d-9",
        platform: "PLATFORM_IOS",
        codec: Codec.BINARY,
      },
    );
    client.socket.close();
    await client.closed;
    const gone = await gateway.presence.reports.find(
      ({ event }) => event.case === "disconnected" && event.value.connectionId === hello.connectionId,
    );
    assert.ok(gone.event.case === "disconnected" && gone.event.value.userId === "user-9");
  });

  it("carries packets to the router untouched, and answers back", async () => {
    const client = await connect({ token: accessToken({ sub: "user-2", sid: "s-2", did: "d-2" }) });
    const done = packet({ requestId: 77, event: { case: "done", value: {} } });
    client.socket.send(done);
    const answer = await client.packets.find(({ requestId }) => requestId === 77);
    assert.equal(answer.event.case, "done");
    const uplink = await gateway.router.uplinks.find(({ connectionId }) => connectionId === client.connectionId);
    const { userId, sessionId, deviceId, codec, gatewayId } = uplink;
    assert.deepEqual(
      { userId, sessionId, deviceId, codec, gatewayId },
      { userId: "user-2", sessionId: "s-2", deviceId: "d-2", codec: Codec.BINARY, gatewayId: gateway.at.gatewayId },
    );
    assert.deepEqual(Buffer.from(uplink.payload), Buffer.from(done));
  });

  it("forwards what it could never read", async () => {
    const client = await connect();
    const before = gateway.router.uplinks.all.length;
    gateway.router.answer = () => ({ payload: new Uint8Array(0) });
    try {
      client.socket.send(Uint8Array.of(0xff, 0xfe, 0xfd));
      await gateway.router.uplinks.count(before + 1);
    } finally {
      gateway.router.answer = ({ payload }) => ({ payload });
    }
    assert.deepEqual([...(gateway.router.uplinks.all.at(-1)?.payload ?? [])], [0xff, 0xfe, 0xfd]);
    assert.equal(client.packets.all.length, 1);
  });

  it("speaks JSON in text frames", async () => {
    const token = accessToken();
    const client = await connect({ token: "", protocols: ["oceanchat.v1.json", `oceanchat.bearer.${token}`] });
    assert.equal(client.socket.protocol, "oceanchat.v1.json");
    const text = '{"requestId":5,"done":{}}';
    client.socket.send(text);
    await client.packets.find(({ requestId }) => requestId === 5);
    const uplink = await gateway.router.uplinks.find(({ connectionId }) => connectionId === client.connectionId);
    assert.equal(uplink.codec, Codec.JSON);
    assert.equal(fromJsonString(ServerPacketSchema, Buffer.from(uplink.payload).toString()).requestId, 5);
  });

  it("chooses the first subprotocol offered that it speaks, never the token", async () => {
    const token = accessToken();
    const client = await connect({
      token: "",
      protocols: ["chat", "oceanchat.v1", "oceanchat.v1.json", `oceanchat.bearer.${token}`],
    });
    assert.equal(client.socket.protocol, "oceanchat.v1");
  });

  it("answers an empty frame of either kind with an empty frame", async () => {
    const client = await connect();
    client.socket.send(Buffer.alloc(0), { binary: true });
    await client.heartbeats.count(1);
    client.socket.send("", { binary: false });
    await client.heartbeats.count(2);
    assert.deepEqual(client.heartbeats.all, [true, true]);
    const json = await connect({ protocols: ["oceanchat.v1.json"] });
    json.socket.send("");
    await json.heartbeats.count(1);
    assert.deepEqual(json.heartbeats.all, [false]);
  });

  it("answers pings", async () => {
    const client = await connect();
    const pong = new Promise((resolve) => client.socket.once("pong", (data) => resolve(data.toString())));
    client.socket.ping("are you there");
    assert.equal(await pong, "are you there");
  });

  it("closes on a frame of the other kind", async () => {
    const binary = await connect();
    binary.socket.send("text");
    assert.equal((await binary.closed).code, 4400);
    const json = await connect({ protocols: ["oceanchat.v1.json"] });
    json.socket.send(Uint8Array.of(1));
    assert.equal((await json.closed).code, 4400);
  });

  it("tells what a packet's failure on the way was", async () => {
    const client = await connect();
    gateway.router.answer = () => Promise.reject(shared.unavailable("no way"));
    try {
      client.socket.send(Uint8Array.of(1, 2, 3));
      const { value } = await client.event("error");
      assert.deepEqual(
        [value?.requestId, value?.code, value?.reason, value?.retryAfter?.seconds],
        [0, 14, "ERROR_REASON_UNAVAILABLE", 1n],
      );
    } finally {
      gateway.router.answer = ({ payload }) => ({ payload });
    }
  });

  describe("upgrade", () => {
    const reasonOf = (body: { details: { reason?: string }[] }) => body.details[0]?.reason;

    it("takes a token from the header or the last subprotocol", async () => {
      await connect({ token: accessToken() });
      await connect({ token: "", protocols: ["oceanchat.v1", `oceanchat.bearer.${accessToken()}`] });
    });

    const bad: readonly (readonly [string, Parameters<typeof WsClient.refused>[1]])[] = [
      ["no token", { token: "" }],
      ["a token that isn't one", { token: "abc" }],
      ["a signed token that was changed", { token: `${accessToken().slice(0, -6)}AAAAAA` }],
      ["an expired token", { token: accessToken({ exp: Math.floor(Date.now() / 1000) - 60 }) }],
      ["a token of an unknown key", { token: accessToken({ kid: "../../etc/passwd" }) }],
      [
        "a token that is not the last subprotocol",
        { token: "", protocols: [`oceanchat.bearer.${accessToken()}`, "oceanchat.v1"] },
      ],
      [
        "a bad header beside a good subprotocol",
        { token: "abc", protocols: ["oceanchat.v1", `oceanchat.bearer.${accessToken()}`] },
      ],
    ];
    for (const [what, options] of bad) {
      it(`refuses ${what}`, async () => {
        const { status, body } = await WsClient.refused(port, options);
        assert.equal(status, 401);
        assert.equal(body.code, 16);
        assert.equal(reasonOf(body), "ERROR_REASON_TOKEN_INVALID");
      });
    }

    it("refuses a token in the query, even a good one", async () => {
      for (const path of [`/ws?access_token=${accessToken()}`, `/ws?token=${accessToken()}`]) {
        const { status, body } = await WsClient.refused(port, { token: "", path });
        assert.equal(status, 400);
        assert.equal(reasonOf(body), "ERROR_REASON_MALFORMED");
      }
    });

    it("refuses whoever offers no subprotocol that it speaks", async () => {
      for (const protocols of [[], ["oceanchat.v2"], ["OceanChat.V1"]]) {
        const { status, body } = await WsClient.refused(port, { protocols });
        assert.equal(status, 400);
        assert.equal(body.code, 3);
        assert.equal(reasonOf(body), "ERROR_REASON_SUBPROTOCOL_MISSING");
        assert.equal(body.details[0]?.domain, "gateway.oceanchat");
      }
    });

    it("takes pages of allowed origins only, exactly", async () => {
      await connect({ headers: { origin: "http://localhost:3000" } });
      for (const origin of [
        "https://evil.example",
        "http://localhost:30000",
        "http://localhost:3000.evil.example",
        "HTTP://LOCALHOST:3000",
        "null",
        "",
      ]) {
        const { status, body } = await WsClient.refused(port, { headers: { origin } });
        assert.equal(status, 403, origin);
        assert.equal(body.code, 7);
        assert.equal(reasonOf(body), "ERROR_REASON_ORIGIN_NOT_ALLOWED");
        assert.equal(body.details[0]?.domain, "gateway.oceanchat");
      }
    });

    it("is only at /ws", async () => {
      for (const path of ["/", "/ws/", "/WS", "/healthz"]) {
        assert.equal((await WsClient.refused(port, { path })).status, 404);
      }
    });

    it("refuses other methods and versions", async () => {
      const plain = await fetch(`http://${HOST}:${port}/ws`);
      assert.equal(plain.status, 426);
      assert.equal(await upgradeBy("POST", 13), 400);
      assert.equal(await upgradeBy("GET", 12), 400);
    });

    /** The status that an upgrade by other means than `ws` gets. */
    async function upgradeBy(method: string, version: number): Promise<number | undefined> {
      const sent = request({
        host: HOST,
        port,
        path: "/ws",
        method,
        headers: {
          connection: "upgrade",
          upgrade: "websocket",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
          "sec-websocket-version": String(version),
          "sec-websocket-protocol": "oceanchat.v1",
          authorization: `Bearer ${accessToken()}`,
        },
      }).end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    }

    it("logs no token", () => {
      assert.ok(gateway.log.all.length > 10);
      assert.doesNotMatch(JSON.stringify(gateway.log.all), /eyJ/);
    });
  });

  it("says that it serves", async () => {
    const answer = await fetch(`http://${HOST}:${port}/healthz`);
    assert.equal(answer.status, 200);
    assert.equal((await fetch(`http://${HOST}:${port}/metrics`)).status, 404);
  });
});
