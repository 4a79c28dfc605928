import { addresses, integer, url } from "@oceanchat/runtime/config";

/** What pusher-realtime can be told. */
export const pusherKeys = {
  natsUrl: url("OCEANCHAT_NATS_URL", "The push streams.", "nats://127.0.0.1:4222", ["nats", "tls"]),
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
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, for users whose connection is gone.",
    "dns:oceanchat-presence-headless:8082",
  ),
} as const;
