import { addresses, integer } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys, redisKeys } from "@oceanchat/runtime/server-keys";

/** What query can be told. */
export const queryKeys = {
  ...mongoKeys,
  ...natsKeys,
  ...redisKeys,
  storeWaitMs: integer(
    "OCEANCHAT_QUERY_STORE_WAIT_MS",
    "How long a page of records waits for the store before it is read from the log, where that holds it, in milliseconds.",
    300,
    10,
    10_000,
  ),
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  group: addresses(
    "OCEANCHAT_GROUP_ADDRESSES",
    "Mesh doors of group, for memberships.",
    "dns:oceanchat-group-headless:8082",
  ),
  syncMaxAgeMs: integer(
    "OCEANCHAT_SYNC_MAX_AGE_MS",
    "How old a cursor of Sync may be, in milliseconds; with an older one a device starts afresh.",
    90 * 86_400_000,
    3_600_000,
    3_650 * 86_400_000,
  ),
  recentLogs: integer(
    "OCEANCHAT_QUERY_RECENT_LOGS",
    "How many conversations and users' logs may be ahead of the store at the same time; with more, Sync is UNAVAILABLE.",
    200_000,
    1,
    10_000_000,
  ),
  syncsAtOnce: integer(
    "OCEANCHAT_QUERY_SYNCS_AT_ONCE",
    "How many calls of Sync are carried out at the same time; others wait up to 2 s for their turn, then they are OVERLOADED.",
    64,
    1,
    4_096,
  ),
  recentWaitMs: integer(
    "OCEANCHAT_QUERY_RECENT_WAIT_MS",
    "How long Sync waits to know what was accepted before the call, in milliseconds.",
    2_000,
    10,
    60_000,
  ),
} as const;
