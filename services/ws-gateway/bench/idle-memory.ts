import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import { frame } from "../src/core/frames.ts";
import { GatewayProcess } from "../test/support/child.ts";
import { connectPacket } from "../test/support/clients.ts";
import { Surroundings } from "../test/support/gateway.ts";
import { HOST } from "../test/support/mesh.ts";
import { upgradeRequest } from "../test/support/raw-socket.ts";
import { accessToken } from "../test/support/tokens.ts";

// Resident memory of a gateway per idle connection, with what it calls as fakes in this process.
// node services/ws-gateway/bench/idle-memory.ts [connections] [ws|tcp]

const COUNT = Number(process.argv[2] ?? 10_000);
const TCP = process.argv[3] === "tcp";
const AT_ONCE = 50;

async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, HOST);
  await once(socket, "connect");
  const token = accessToken({ sub: `user-${Math.random()}` });
  socket.write(TCP ? frame("length prefix", connectPacket(token)) : upgradeRequest("oceanchat.v1", token));
  await once(socket, "data");
  return socket.resume();
}

/** The lowest in a few seconds: garbage is collected when the process has nothing to do. */
async function settled(pid: number): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    await setTimeout(500);
    lowest = Math.min(lowest, await rssOf(pid));
  }
  return lowest;
}

const surroundings = new Surroundings();
const env = {
  ...(await surroundings.open()),
  OCEANCHAT_MAX_CONNECTIONS_PER_ADDRESS: String(COUNT),
  OCEANCHAT_DRAIN_MS: "2000",
};
const { gateway, at } = await GatewayProcess.start(env, ["--max-semi-space-size=8"]);
const port = TCP ? at.tcpPort : at.wsPort;
// The first ones load code; they are no measure of the others.
const sockets = await Promise.all(Array.from({ length: AT_ONCE }, () => open(port)));
const before = await settled(gateway.pid);
const startedMs = performance.now();
while (sockets.length < COUNT + AT_ONCE) {
  sockets.push(...(await Promise.all(Array.from({ length: AT_ONCE }, () => open(port)))));
}
const tookMs = performance.now() - startedMs;
await surroundings.presence.reports.find(() => surroundings.presence.of("connected").length >= COUNT);
const after = await settled(gateway.pid);
for (const socket of sockets) socket.destroy();
await surroundings.presence.reports.find(() => surroundings.presence.of("disconnected").length >= COUNT);
const gone = await settled(gateway.pid);
const kib = ((after - before) / COUNT).toFixed(1);
process.stdout.write(
  `${COUNT} ${TCP ? "TCP" : "WebSocket"} connections in ${(tookMs / 1000).toFixed(1)} s: ${kib} KiB each` +
    ` (${before} KiB before, ${after} with them, ${gone} when they have gone)\n`,
);
gateway.signal("SIGTERM");
await gateway.exited;
await surroundings.close();
