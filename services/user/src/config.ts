import { addresses, text, url } from "@oceanchat/runtime/config";

/** What user can be told, beside what every process can. */
export const userKeys = {
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
} as const;
