import { addresses, text, url } from "@oceanchat/runtime/config";

/** What query can be told. */
export const queryKeys = {
  mongodbUrl: url("OCEANCHAT_MONGODB_URL", "The document store.", "mongodb://127.0.0.1:27017", [
    "mongodb",
    "mongodb+srv",
  ]),
  mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE", "The database in it.", "oceanchat"),
  natsUrl: url("OCEANCHAT_NATS_URL", "NATS, for records that are not in the store yet.", "nats://127.0.0.1:4222", [
    "nats",
    "tls",
  ]),
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
