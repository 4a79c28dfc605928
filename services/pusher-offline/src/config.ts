import { addresses, integer, text, url } from "@oceanchat/runtime/config";
import { providerKeys } from "./providers/configured.ts";

/** What pusher-offline can be told. */
export const pusherOfflineKeys = {
  ...providerKeys,
  natsUrl: url("OCEANCHAT_NATS_URL", "NATS, where the work comes from.", "nats://127.0.0.1:4222", ["nats", "tls"]),
  mongodbUrl: url("OCEANCHAT_MONGODB_URL", "The document store.", "mongodb://127.0.0.1:27017", [
    "mongodb",
    "mongodb+srv",
  ]),
  mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE", "The database in it.", "oceanchat"),
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
  maxAttempts: integer(
    "OCEANCHAT_PUSH_MAX_ATTEMPTS",
    "How often one notification is tried before it goes to the DEAD stream.",
    10,
    1,
    100,
  ),
} as const;
