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
} as const;
