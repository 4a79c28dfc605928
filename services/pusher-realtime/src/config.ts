import { addresses } from "@oceanchat/runtime/config";
import { natsKeys } from "@oceanchat/runtime/server-keys";

/** What pusher-realtime can be told. */
export const pusherKeys = {
  ...natsKeys,
  presence: addresses(
    "OCEANCHAT_PRESENCE_ADDRESSES",
    "Mesh doors of presence, for users whose connection is gone.",
    "dns:oceanchat-presence-headless:8082",
  ),
} as const;
