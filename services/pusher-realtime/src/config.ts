import { addresses, url } from "@oceanchat/runtime/config";

/** What pusher-realtime can be told. */
export const pusherKeys = {
  natsUrl: url("OCEANCHAT_NATS_URL", "The push streams.", "nats://127.0.0.1:4222", ["nats", "tls"]),
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, for users whose connection is gone.",
    "dns:oceanchat-presence-headless:8082",
  ),
} as const;
