import { addresses, integer } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";
import { providerKeys } from "./providers/configured.ts";

/** What pusher-offline can be told. */
export const pusherOfflineKeys = {
  ...providerKeys,
  ...natsKeys,
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, for senders' names.",
    "dns:oceanchat-user-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, for who has come back.",
    "dns:oceanchat-presence-headless:8082",
  ),
  returnMs: integer(
    "OCEANCHAT_PUSH_RETURN_MS",
    "How long users whose gateway has gone have to connect elsewhere before their devices are told, in milliseconds.",
    10_000,
    0,
    50_000,
  ),
  maxAttempts: integer(
    "OCEANCHAT_PUSH_MAX_ATTEMPTS",
    "How often one notification is tried before it goes to the DEAD stream.",
    10,
    1,
    100,
  ),
} as const;
