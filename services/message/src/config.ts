import { addresses, integer } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";

/** What message can be told. */
export const messageKeys = {
  ...natsKeys,
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  group: addresses(
    "OCEANCHAT_GROUP_ADDRESSES",
    "Mesh doors of group, for permissions in groups.",
    "dns:oceanchat-group-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, for permissions between two users.",
    "dns:oceanchat-user-headless:8082",
  ),
  appendMs: integer(
    "OCEANCHAT_MESSAGE_APPEND_MS",
    "How long a message may take to be appended, in milliseconds; after that its outcome is unknown.",
    5_000,
    100,
    60_000,
  ),
  recordBytes: integer("OCEANCHAT_MESSAGE_MAX_RECORD_BYTES", "The largest record, in bytes.", 32_768, 1_024, 60_000),
} as const;
