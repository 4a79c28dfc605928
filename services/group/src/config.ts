import { addresses, integer } from "@oceanchat/runtime/config";
import { mongoKeys } from "@oceanchat/runtime/server-keys";

/** What group can be told, beside what every process can. */
export const groupKeys = {
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, to know who exists.",
    "dns:oceanchat-user-headless:8082",
  ),
  message: addresses(
    "OCEANCHAT_MESSAGE_ADDRESSES",
    "Mesh doors of message, the only writer of conversations.",
    "dns:oceanchat-message-headless:8082",
  ),
  maxMembers: integer("OCEANCHAT_GROUP_MAX_MEMBERS", "How many members a group may have.", 10_000, 2, 1_000_000),
} as const;
