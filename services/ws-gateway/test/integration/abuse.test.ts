import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { maskedFrame } from "@oceanchat/tests/raw-clients/raw-websocket";
import { FLOODS, VIOLATIONS } from "@oceanchat/tests/raw-clients/violations";
import { Bystander } from "../support/bystander.ts";
import { connectPacket, packet, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { openRawWebSocket, openSocket, upgradeRequest } from "../support/raw-socket.ts";
import { accessToken } from "../support/tokens.ts";

const BINARY = 0x82;

describe("abuse", () => {
  let gateway: RunningGateway;
  let bystander: Bystander;

  before(async () => {
    gateway = await RunningGateway.start({
      OCEANCHAT_HANDSHAKE_MS: "1500",
      OCEANCHAT_STALL_MS: "800",
      OCEANCHAT_MAX_CONNECTIONS_PER_USER: "1000",
    });
  });
  beforeEach(async () => {
    bystander = await Bystander.start(gateway.at.wsPort);
  });
  afterEach(async () => {
    await bystander.stop();
    bystander.leave();
    const { presence } = gateway;
    while (presence.of("disconnected").length < presence.of("connected").length) {
      await presence.reports.count(presence.reports.all.length + 1);
    }
  });
  after(async () => {
    // Nobody is left, as far as the gateway knows.
    const { presence } = gateway;
    assert.equal(presence.of("disconnected").length, presence.of("connected").length);
    await gateway.stop();
  });

  /** A test whose title tells how long others waited meanwhile. */
  const attack = (title: string, run: () => Promise<void>) =>
    it(title, async function () {
      this.timeout(20_000);
      await run();
      if (this.test !== undefined) this.test.title += ` [others wait ${(await bystander.stop()).toFixed(1)} ms at p99]`;
    });

  for (const { what, bytes, code } of [...VIOLATIONS, ...FLOODS]) {
    attack(`closes on ${what} with ${code}`, async () => {
      const client = await openRawWebSocket(gateway.at.wsPort);
      client.write(bytes);
      assert.equal(await client.closeCode, code);
    });
  }

  attack(
    "closes one who connects and waits: before the upgrade, in its headers, and on TCP before or in his first frame",
    async () => {
      const [silent, inHeaders, tcpSilent, tcpHalf] = await Promise.all([
        openSocket(gateway.at.wsPort),
        openSocket(gateway.at.wsPort),
        TcpClient.open(gateway.at.tcpPort),
        TcpClient.open(gateway.at.tcpPort),
      ]);
      inHeaders.write(upgradeRequest().slice(0, 60));
      tcpHalf.socket.write(Buffer.of(0, 0));
      const ended = [silent, inHeaders].map((socket) => answerOf(socket));
      for (const answer of await Promise.all(ended)) assert.match(answer, /^HTTP\/1\.1 408 /);
      for (const client of [tcpSilent, tcpHalf]) {
        const { event } = await client.packets.find(() => true);
        assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_TOKEN_INVALID");
        await client.ended;
      }
    },
  );

  attack("answers headers of 20 KiB with 431", async () => {
    const socket = await openSocket(gateway.at.wsPort);
    const answer = answerOf(socket);
    socket.write(`GET /ws HTTP/1.1\r\nX-Large: ${"x".repeat(20 * 1024)}\r\n\r\n`);
    assert.match(await answer, /^HTTP\/1\.1 431 /);
  });

  attack("closes on a TCP frame of four gibibytes with a reason, before any of it has come", async () => {
    const client = await TcpClient.connect(gateway.at.tcpPort);
    client.socket.write(Buffer.of(0xff, 0xff, 0xff, 0xff));
    const { event } = await client.packets.find((each) => each.event.case === "goAway");
    assert.ok(event.case === "goAway" && /^1009 /.test(event.value.reason));
    await client.ended;
  });

  attack("survives 510 connections that are reset: at once, in the upgrade, and when they are open", async () => {
    const { wsPort, tcpPort } = gateway.at;
    const storm = async (port: number, first: () => string | Uint8Array, wait: boolean) => {
      const socket = await openSocket(port);
      socket.write(first());
      if (wait) await Promise.race([once(socket, "data"), once(socket, "close")]);
      socket.resetAndDestroy();
    };
    const connect = () => {
      const bytes = connectPacket(accessToken());
      return Buffer.concat([Buffer.of(0, 0, bytes.length >> 8, bytes.length & 0xff), bytes]);
    };
    for (let round = 0; round < 5; round++) {
      const storms = Array.from({ length: 34 }, (_, i) => [
        storm(wsPort, () => (i % 2 === 0 ? upgradeRequest() : "GET"), false),
        storm(wsPort, upgradeRequest, true),
        storm(tcpPort, connect, i % 2 === 0),
      ]);
      await Promise.all(storms.flat());
    }
    // Those that it had heard of have gone; a new one is taken.
    const client = await WsClient.connect(wsPort);
    client.socket.terminate();
  });

  attack("closes one who never reads with 1013, whatever he is sent", async () => {
    const client = await WsClient.connect(gateway.at.wsPort);
    client.socket.pause();
    const payload = packet({ event: { case: "goAway", value: { reason: "x".repeat(32 * 1024) } } });
    const connectionIds = [client.connectionId];
    for (;;) {
      const { unknownConnectionIds } = await gateway.deliver.call({ connectionIds, payload });
      if (unknownConnectionIds.length > 0) break;
    }
    client.socket.resume();
    assert.equal((await client.closed).code, 1013);
  });

  attack("closes one who fills the network with packets and reads no answers", async () => {
    const client = await openRawWebSocket(gateway.at.wsPort);
    client.socket.pause();
    const done = (reason: string) => packet({ requestId: 1, event: { case: "goAway", value: { reason } } });
    const frame = maskedFrame(BINARY, done("x".repeat(60 * 1024)));
    // The answers are as large. What is owed to the connection's rate stays in the network.
    const pump = setInterval(() => client.socket.writableLength < 1024 * 1024 && client.write(frame), 1);
    await gateway.log.find(({ msg, code }) => msg === "disconnected" && code === 1013);
    clearInterval(pump);
    client.socket.resetAndDestroy();
    await client.closeCode;
  });
});

/** All that comes until the other side ends. */
async function answerOf(socket: Socket): Promise<string> {
  const read: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void read.push(chunk));
  // Not `once`, which rejects on errors.
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(read).toString("latin1");
}
