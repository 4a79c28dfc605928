import { addresses } from "@oceanchat/runtime/config";
import { mongoKeys } from "@oceanchat/runtime/server-keys";

/** What user can be told, beside what every process can. */
export const userKeys = {
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, which hears when a user changes who may see him.",
    "dns:oceanchat-presence-headless:8082",
  ),
} as const;
