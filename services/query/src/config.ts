import { addresses } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys } from "@oceanchat/runtime/server-keys";

/** What query can be told. */
export const queryKeys = {
  ...mongoKeys,
  ...natsKeys,
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
