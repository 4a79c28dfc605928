import { hostname } from "node:os";
import { addresses, choice, integer, list, port, text, type Values } from "@oceanchat/runtime/config";

const KIB = 1024;

/** What a gateway can be told, beside the keys of every process. */
export const gatewayKeys = {
  wsPort: port("OCEANCHAT_WS_PORT", "The port for WebSockets (path /ws) and GET /healthz.", 8083),
  wsSocket: text(
    "OCEANCHAT_WS_SOCKET",
    "A Unix socket for WebSockets beside the port, for a proxy on the same machine: half the cost of a write. Empty: none.",
    "",
  ),
  tcpPort: port("OCEANCHAT_TCP_PORT", "The port for plain TCP: 4 bytes of length, then a packet.", 8084),
  advertisedHost: text(
    "OCEANCHAT_ADVERTISED_HOST",
    "Where other services reach this process's mesh door; an IPv6 address in brackets.",
    hostname(),
  ),
  origins: list(
    "OCEANCHAT_ORIGINS",
    "Web pages that may connect, as browsers write their Origin; all others are refused. Programs send none and may.",
    "http://localhost:3000,http://localhost:5173",
  ),
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for signing keys and sessions.",
    "dns:oceanchat-auth-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, which is told of every connection.",
    "dns:oceanchat-presence-headless:8082",
  ),
  router: addresses(
    "OCEANCHAT_ROUTER_ADDRESSES",
    "Mesh doors of router, which gets every packet.",
    "dns:oceanchat-router-headless:8082",
  ),
  maxConnections: integer(
    "OCEANCHAT_MAX_CONNECTIONS",
    "Connections at the same time; more get 503. Raise the limit of open files with it.",
    50_000,
    1,
    1_000_000,
  ),
  maxConnectionsPerUser: integer(
    "OCEANCHAT_MAX_CONNECTIONS_PER_USER",
    "Connections of one user to this gateway; more are closed with 4429.",
    20,
    1,
    10_000,
  ),
  maxConnectionsPerAddress: integer(
    "OCEANCHAT_MAX_CONNECTIONS_PER_ADDRESS",
    "Connections to this gateway from one IPv4 address or IPv6 /64; more get 429. Many people may share one; 0: no limit.",
    1_000,
    0,
    1_000_000,
  ),
  tcpProxyProtocol: choice(
    "OCEANCHAT_TCP_PROXY_PROTOCOL",
    "What comes first on the TCP port: with v2 the proxy's header with the client's address, and nobody connects without one.",
    "off",
    ["off", "v2"],
  ),
  packetsPerSecond: integer(
    "OCEANCHAT_CONNECTION_PACKETS_PER_SECOND",
    "Packets per second that are read from one connection in the long run; faster ones wait in the network.",
    200,
    1,
    100_000,
  ),
  packetsBurst: integer(
    "OCEANCHAT_CONNECTION_PACKETS_BURST",
    "Packets of one connection that are read at once.",
    400,
    1,
    100_000,
  ),
  bytesPerSecond: integer(
    "OCEANCHAT_CONNECTION_BYTES_PER_SECOND",
    "Bytes per second that are read from one connection in the long run.",
    256 * KIB,
    KIB,
    1024 * 1024 * KIB,
  ),
  bytesBurst: integer(
    "OCEANCHAT_CONNECTION_BYTES_BURST",
    "Bytes of one connection that are read at once.",
    1024 * KIB,
    64 * KIB,
    1024 * 1024 * KIB,
  ),
  packetsInFlight: integer(
    "OCEANCHAT_CONNECTION_PACKETS_IN_FLIGHT",
    "Packets of one connection that wait for the router; while so many wait, the connection is not read.",
    64,
    1,
    10_000,
  ),
  newcomersAtOnce: integer(
    "OCEANCHAT_NEWCOMERS_AT_ONCE",
    "Connections whose first packets are under way at the same time; while many others connect, at most eight.",
    64,
    8,
    100_000,
  ),
  newcomerWaitMs: integer(
    "OCEANCHAT_NEWCOMER_WAIT_MS",
    "How long the first packets of a connection wait while many others connect, in milliseconds; in all twice as long at most. 0: not at all.",
    5_000,
    0,
    60_000,
  ),
  uplinkTimeoutMs: integer(
    "OCEANCHAT_UPLINK_TIMEOUT_MS",
    "How long a packet may wait for the router's answer, in milliseconds. More than the routers' dispatch timeout.",
    7_000,
    100,
    60_000,
  ),
  uplinksInFlight: integer(
    "OCEANCHAT_UPLINKS_IN_FLIGHT",
    "Packets per router that wait for an answer; one more is answered with OVERLOADED.",
    8_192,
    1,
    100_000,
  ),
  handshakeMs: integer(
    "OCEANCHAT_HANDSHAKE_MS",
    "How long a client may take to say who it is, in milliseconds.",
    5_000,
    100,
    60_000,
  ),
  helloWaitMs: integer(
    "OCEANCHAT_HELLO_WAIT_MS",
    "How long a new connection waits for presence before it is used all the same, in milliseconds.",
    2_000,
    0,
    60_000,
  ),
  heartbeatMs: integer(
    "OCEANCHAT_HEARTBEAT_MS",
    "Announced to clients: how often they send an empty frame at least, in milliseconds.",
    30_000,
    1_000,
    3_600_000,
  ),
  idleMs: integer(
    "OCEANCHAT_IDLE_MS",
    "A connection from which nothing comes for so long is closed with 1001, in milliseconds; up to 5 % later.",
    300_000,
    100,
    3_600_000,
  ),
  softBufferBytes: integer(
    "OCEANCHAT_SOFT_BUFFER_BYTES",
    "With more than this unsent, a connection gets hints instead of records until all is sent.",
    256 * KIB,
    16 * KIB,
    64 * 1024 * KIB,
  ),
  hardBufferBytes: integer(
    "OCEANCHAT_HARD_BUFFER_BYTES",
    "With more than this unsent, a connection is closed with 1013.",
    1024 * KIB,
    32 * KIB,
    256 * 1024 * KIB,
  ),
  stallMs: integer(
    "OCEANCHAT_STALL_MS",
    "A connection that stays above the soft limit for so long is closed with 1013, in milliseconds.",
    10_000,
    100,
    600_000,
  ),
  leaseMs: integer(
    "OCEANCHAT_LEASE_RENEWAL_MS",
    "How often presence is told that this gateway lives, in milliseconds; it believes it for 15 seconds.",
    5_000,
    100,
    14_000,
  ),
  sessionCheckMs: integer(
    "OCEANCHAT_SESSION_CHECK_MS",
    "How often auth is asked which sessions still live, in milliseconds.",
    300_000,
    100,
    3_600_000,
  ),
  drainMs: integer(
    "OCEANCHAT_DRAIN_MS",
    "Over which time the connections of a stopping gateway are closed, in milliseconds. Well below OCEANCHAT_STOP_MS.",
    5_000,
    0,
    600_000,
  ),
} as const;

/** The values of the gateway's keys. */
export type GatewayConfig = Values<typeof gatewayKeys>;
