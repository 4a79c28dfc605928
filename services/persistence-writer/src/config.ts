import { text, url } from "@oceanchat/runtime/config";

/** What persistence-writer can be told. */
export const writerKeys = {
  natsUrl: url("OCEANCHAT_NATS_URL", "The message log.", "nats://127.0.0.1:4222", ["nats", "tls"]),
  mongodbUrl: url("OCEANCHAT_MONGODB_URL", "The document store.", "mongodb://127.0.0.1:27017", [
    "mongodb",
    "mongodb+srv",
  ]),
  mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE", "The database in it.", "oceanchat"),
} as const;
