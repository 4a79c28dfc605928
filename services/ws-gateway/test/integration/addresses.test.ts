import assert from "node:assert/strict";
import { connectPacket, TcpClient, WsClient } from "../support/clients.ts";
import { RunningGateway } from "../support/gateway.ts";
import { accessToken } from "../support/tokens.ts";

const proxyHeader = (lastByte: number) =>
  Buffer.concat([
    Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
    Buffer.of(0x21, 0x11, 0, 12, 192, 0, 2, lastByte, 127, 0, 0, 1, 0x30, 0x39, 0x14, 0x67),
  ]);

describe("connections per network address", () => {
  let gateway: RunningGateway;
  const start = async (env: Record<string, string>) => {
    gateway = await RunningGateway.start({ OCEANCHAT_MAX_CONNECTIONS_PER_ADDRESS: "2", ...env });
  };
  const from = (address: string) => ({
    token: accessToken({ sub: `user-${Math.random()}` }),
    headers: { "x-forwarded-for": address },
  });

  afterEach(() => gateway.stop());

  it("refuses upgrades beyond it with 429, whatever else the client claims, and takes others", async () => {
    await start({});
    const { wsPort } = gateway.at;
    const [first] = [
      await WsClient.connect(wsPort, from("192.0.2.7")),
      await WsClient.connect(wsPort, from("192.0.2.7")),
    ];
    const refusal = await WsClient.refused(wsPort, from("198.51.100.1, 192.0.2.7"));
    const [info] = refusal.body.details;
    assert.deepEqual(
      [refusal.status, info?.reason, refusal.headers["retry-after"]],
      [429, "ERROR_REASON_TOO_MANY_FROM_ADDRESS", "30"],
    );
    await WsClient.connect(wsPort, from("192.0.2.8"));
    // Without the edge it is the address of the connection itself.
    await WsClient.connect(wsPort);
    first.socket.terminate();
    await gateway.presence.reports.find(({ event }) => event.case === "disconnected");
    await WsClient.connect(wsPort, from("192.0.2.7"));
  });

  it("counts those that are refused for something else only while they are there", async () => {
    await start({});
    for (let i = 0; i < 5; i++) {
      assert.equal((await WsClient.refused(gateway.at.wsPort, { ...from("192.0.2.7"), token: "x" })).status, 401);
    }
    await WsClient.connect(gateway.at.wsPort, from("192.0.2.7"));
  });

  it("refuses TCP connections beyond it in their first packet, before they say who they are", async () => {
    await start({});
    const [first] = [await TcpClient.connect(gateway.at.tcpPort), await TcpClient.connect(gateway.at.tcpPort)];
    const third = await TcpClient.open(gateway.at.tcpPort);
    const { event } = await third.packets.find(() => true);
    assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_TOO_MANY_FROM_ADDRESS");
    await third.ended;
    first.socket.destroy();
    await gateway.presence.reports.find(({ event: { case: kind } }) => kind === "disconnected");
    await TcpClient.connect(gateway.at.tcpPort);
  });

  it("takes the address from the proxy in front, also in pieces, and counts by it", async () => {
    await start({ OCEANCHAT_TCP_PROXY_PROTOCOL: "v2" });
    const connect = async (lastByte: number) => {
      const client = await TcpClient.open(gateway.at.tcpPort);
      client.socket.setNoDelay(true);
      client.socket.write(proxyHeader(lastByte).subarray(0, 20));
      await new Promise((resolve) => setImmediate(resolve));
      client.socket.write(proxyHeader(lastByte).subarray(20));
      client.send(connectPacket(accessToken()));
      return (await client.packets.find(() => true)).event.case;
    };
    assert.deepEqual(
      [await connect(7), await connect(7), await connect(7), await connect(8)],
      ["hello", "hello", "error", "hello"],
    );
  });

  it("takes nobody who comes without the proxy, or says half of it and waits", async () => {
    await start({ OCEANCHAT_TCP_PROXY_PROTOCOL: "v2", OCEANCHAT_HANDSHAKE_MS: "1000" });
    const direct = await TcpClient.open(gateway.at.tcpPort);
    direct.send(connectPacket(accessToken()));
    const { event } = await direct.packets.find(() => true);
    assert.ok(event.case === "error" && event.value.reason === "ERROR_REASON_MALFORMED");
    await direct.ended;
    const half = await TcpClient.open(gateway.at.tcpPort);
    half.socket.write(proxyHeader(7).subarray(0, 20));
    await half.ended;
    assert.ok(half.packets.all.some((packet) => packet.event.case === "error"));
  });
});
