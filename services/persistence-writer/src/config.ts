import { integer, text, url } from "@oceanchat/runtime/config";

/** What persistence-writer can be told. */
export const writerKeys = {
  natsUrl: url("OCEANCHAT_NATS_URL", "The message log.", "nats://127.0.0.1:4222", ["nats", "tls"]),
  streamMaxBytes: integer(
    "OCEANCHAT_STREAM_MAX_BYTES",
    "Largest size of a stream on disk, in bytes; 0: as the contract declares it. The same for every service.",
    0,
    0,
    Number.MAX_SAFE_INTEGER,
  ),
  streamReplicas: integer(
    "OCEANCHAT_STREAM_REPLICAS",
    "How many NATS servers keep a copy of a stream. The same for every service.",
    1,
    1,
    5,
  ),
  mongodbUrl: url("OCEANCHAT_MONGODB_URL", "The document store.", "mongodb://127.0.0.1:27017", [
    "mongodb",
    "mongodb+srv",
  ]),
  mongodbDatabase: text("OCEANCHAT_MONGODB_DATABASE", "The database in it.", "oceanchat"),
} as const;
