import { addresses, integer } from "@oceanchat/runtime/config";
import { natsKeys, redisKeys } from "@oceanchat/runtime/server-keys";

/** What presence can be told. */
export const presenceKeys = {
  ...redisKeys,
  ...natsKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, for who may see whom.",
    "dns:oceanchat-user-headless:8082",
  ),
  leaseMs: integer(
    "OCEANCHAT_GATEWAY_LEASE_MS",
    "How long a gateway counts as alive after its last sign of life, in milliseconds.",
    15_000,
    1_000,
    300_000,
  ),
  sweepIntervalMs: integer(
    "OCEANCHAT_PRESENCE_SWEEP_MS",
    "How often entries of dead gateways are looked for, in milliseconds.",
    10_000,
    100,
    3_600_000,
  ),
} as const;
