import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Server } from "node:net";
import { setTimeout } from "node:timers/promises";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { readConfig } from "@oceanchat/runtime/config";
import { implement } from "@oceanchat/runtime/handlers";
import type { Host } from "@oceanchat/runtime/host";
import { runProcess } from "@oceanchat/runtime/process";
import type { TokenVerifier } from "@oceanchat/runtime/token";
import type { Logger } from "pino";
import { type GatewayConfig, gatewayKeys } from "./config.ts";
import { AddressLimit } from "./core/addresses.ts";
import { Gateway } from "./gateway.ts";
import { LoopLoad } from "./loop-load.ts";
import { openAuth, openGateways, openPresence, openRouter } from "./peers.ts";
import type { AuthPort } from "./ports.ts";
import { everyMs, type Round } from "./rounds.ts";
import { gatewayMeshHandlers } from "./service.ts";
import { Admission, checkSessions } from "./session-check.ts";
import { createTcpServer } from "./socket-tcp.ts";
import { createWebSocketServer } from "./socket-websocket.ts";
import { listenOnUnixSocket } from "./unix-socket.ts";
import { WriteTurns } from "./write-turns.ts";

/** How long a stopping gateway waits for presence to hear of the connections it has closed, in milliseconds. */
const LAST_REPORTS_MS = 1_000;
const COUNTERS_MS = 60_000;
const LIMITS_MS = 5_000;
/**
 * Connections that the system takes before this process does, as far as it allows (net.core.somaxconn). When another gateway has gone,
 * thousands come in a second; beyond Node's 511 they would be answered after seconds, or reset.
 */
const BACKLOG = 4_096;
/** How soon presence is told again of a gateway that it could not be told of: until then its clients count as away. */
const LEASE_RETRY_MS = 250;

/** Starts a gateway. */
export async function start(host: Host): Promise<void> {
  const config = readConfig(gatewayKeys, host.env);
  const { log, tracing } = host;
  // New with each start, so that what presence and pushers know of an earlier life is never taken for this one.
  const gatewayId = `${host.instance.replace(/[^A-Za-z0-9_-]/g, "-")}-${randomBytes(3).toString("hex")}`;
  const auth = await openAuth(host, config);
  const admission = new Admission(auth, log, setTimeout);
  const load = new LoopLoad();
  const gateway = new Gateway({
    gatewayId,
    config,
    router: await openRouter(host, config),
    presence: await openPresence(host, config, gatewayId),
    sessionLives: (sessionId) => admission.lives(sessionId),
    gateways: await openGateways(host),
    tracing,
    log,
    now: host.now,
    monotonic: () => performance.now(),
    isBusy: () => load.isBusy(),
  });
  const mesh = [implement(GatewayMeshService, gatewayMeshHandlers(gateway, tracing))];
  const { meshPort } = await host.serve({ mesh });
  const address = `${config.advertisedHost}:${meshPort}`;
  // Before the first connection is reported: presence counts only those of gateways that live.
  await gateway.lease(address).catch((cause) => log.warn({ err: cause }, "presence can't be told of this gateway yet"));
  await gateway.learnLimits().catch((cause) => log.warn({ err: cause }, "what clients may send isn't known yet"));
  const rounds = startRounds(host, gateway, auth, config, address);
  const servers = await listen(host, gateway, config, host.tokenVerifier(auth.signingKeys));
  // While the mesh door serves: what comes for a connection is written until it is closed.
  host.handOver("connections", async () => {
    const closed = await gateway.drain(config.drainMs);
    for (const server of servers) server.close();
    for (const round of rounds) round.stop();
    await leave(gateway, address, log);
    log.info({ connections: closed }, "drained");
  });
  const [wsPort, tcpPort] = servers.map(portOf);
  log.info({ gatewayId, address, wsPort, tcpPort }, "accepting connections");
}

function startRounds(host: Host, gateway: Gateway, auth: AuthPort, config: GatewayConfig, address: string): Round[] {
  const { log } = host;
  const { leaseMs, idleMs, stallMs, sessionCheckMs } = config;
  return [
    everyMs(leaseMs, "the lease", log, () => gateway.lease(address), {
      failing: !gateway.isLeased,
      retryMs: Math.min(leaseMs, LEASE_RETRY_MS),
    }),
    everyMs(Math.min(15_000, idleMs / 20), "the idle check", log, () => gateway.checkIdle()),
    everyMs(Math.min(1_000, stallMs / 10), "the check for slow readers", log, () => gateway.checkLag()),
    everyMs(LIMITS_MS, "asking what clients may send", log, () => gateway.learnLimits()),
    everyMs(sessionCheckMs, "the session check", log, () => checkSessions(gateway, auth, log)),
    everyMs(COUNTERS_MS, "the counters", log, () =>
      log.info({ connections: gateway.sessions.size, ...gateway.counters.take() }, "the last minute"),
    ),
  ];
}

async function listen(host: Host, gateway: Gateway, config: GatewayConfig, verify: TokenVerifier): Promise<Server[]> {
  const { handshakeMs, maxConnections, tcpProxyProtocol } = config;
  const { log } = host;
  const addresses = new AddressLimit(config.maxConnectionsPerAddress);
  const options = { gateway, verify, addresses, turns: new WriteTurns(), log, handshakeMs, maxConnections };
  const webSocketOptions = { ...options, origins: new Set(config.origins) };
  const webSockets = createWebSocketServer(webSocketOptions);
  const tcp = createTcpServer({ ...options, proxied: tcpProxyProtocol === "v2" });
  const servers: Server[] = [webSockets, tcp];
  const { listenHost } = host.config;
  await Promise.all([
    once(webSockets.listen({ port: config.wsPort, host: listenHost, backlog: BACKLOG }), "listening"),
    once(tcp.listen({ port: config.tcpPort, host: listenHost, backlog: BACKLOG }), "listening"),
  ]);
  if (config.wsSocket !== "") {
    const local = createWebSocketServer(webSocketOptions);
    await listenOnUnixSocket(local, config.wsSocket);
    servers.push(local);
  }
  // Too many open files, for instance: no reason to lose the connections that are there.
  for (const server of servers) server.on("error", (cause) => log.error({ err: cause }, "accepting failed"));
  return servers;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Has presence let the gateway go. Last: until then its connections count, and those that were closed are on their way elsewhere. */
async function leave(gateway: Gateway, address: string, log: Logger): Promise<void> {
  await Promise.race([gateway.reports.allHeard(), setTimeout(LAST_REPORTS_MS)]);
  await gateway.lease(address, true).catch((cause) => log.warn({ err: cause }, "the lease could not be released"));
}

if (import.meta.main) await runProcess("ws-gateway", gatewayKeys, start);
