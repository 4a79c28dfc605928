import { addresses, integer } from "@oceanchat/runtime/config";

/** What the router can be told, beside the keys of every process. */
export const routerKeys = {
  message: addresses(
    "OCEANCHAT_MESSAGE_ADDRESSES",
    "Mesh doors of message, which carries commands out.",
    "dns:oceanchat-message-headless:8082",
  ),
  query: addresses(
    "OCEANCHAT_QUERY_ADDRESSES",
    "Mesh doors of query, which answers what a device has missed.",
    "dns:oceanchat-query-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, which knows who is here.",
    "dns:oceanchat-presence-headless:8082",
  ),
  packetsPerSecond: integer(
    "OCEANCHAT_USER_PACKETS_PER_SECOND",
    "Packets per second that a user may send in the long run. Gateways announce it.",
    100,
    1,
    100_000,
  ),
  packetsBurst: integer("OCEANCHAT_USER_PACKETS_BURST", "Packets of a user that may come at once.", 200, 1, 1_000_000),
  serverPacketsPerSecond: integer(
    "OCEANCHAT_SERVER_PACKETS_PER_SECOND",
    "The same for clients that logged in with PLATFORM_SERVER, which anybody may; 0: as everybody, counted together.",
    0,
    0,
    100_000,
  ),
  serverPacketsBurst: integer(
    "OCEANCHAT_SERVER_PACKETS_BURST",
    "Packets of theirs that may come at once; 0: twice their packets per second.",
    0,
    0,
    1_000_000,
  ),
  maxUsers: integer(
    "OCEANCHAT_ROUTER_MAX_USERS",
    "Users whose rate is remembered at the same time; beyond it the longest silent ones start anew.",
    200_000,
    1,
    10_000_000,
  ),
  dispatchTimeoutMs: integer(
    "OCEANCHAT_DISPATCH_TIMEOUT_MS",
    "How long a command may take before its outcome counts as unknown, in milliseconds. Less than the gateways' uplink timeout.",
    5_000,
    100,
    60_000,
  ),
  maxInFlight: integer(
    "OCEANCHAT_DISPATCH_IN_FLIGHT",
    "Commands per instance of message, query or presence that wait for an answer; one more is refused with OVERLOADED.",
    4_096,
    1,
    100_000,
  ),
  breakerFailures: integer(
    "OCEANCHAT_BREAKER_FAILURES",
    "After so many commands in a row without any answer a service is left alone for a while.",
    20,
    1,
    10_000,
  ),
  breakerOpenMs: integer(
    "OCEANCHAT_BREAKER_OPEN_MS",
    "For how long it is left alone before one command tries again, in milliseconds.",
    1_000,
    10,
    60_000,
  ),
} as const;
