import { addresses, integer, type Key } from "@oceanchat/runtime/config";
import { mongoKeys, natsKeys, redisKeys } from "@oceanchat/runtime/server-keys";
import type { DevicePolicy } from "./ports.ts";

const PLATFORMS = ["web", "ios", "android", "desktop", "server"];

function devices(name: string, meaning: string, fallback: string): Key<DevicePolicy> {
  return { name, type: "platform+…=number,…,total=number", meaning, fallback, parse: parsePolicy };
}

/** `ios+android=5,web=10,total=20`; a platform that isn't named is limited by the total alone. */
function parsePolicy(text: string): DevicePolicy {
  const classes: Record<string, string> = {};
  const limits: Record<string, number> = {};
  for (const part of text.split(",")) {
    const [, name = "", digits = ""] = /^\s*([a-z+]+)=(\d{1,4})\s*$/.exec(part) ?? [];
    const words = name.split("+");
    if (name === "" || Number(digits) === 0) throw new Error(`has "${part}" where name=number is expected`);
    limits[name] = Number(digits);
    if (name === "total") continue;
    for (const word of words) {
      const platform = `PLATFORM_${word.toUpperCase()}`;
      if (!PLATFORMS.includes(word)) throw new Error(`must name ${PLATFORMS.join(", ")} or total, not ${word}`);
      if (classes[platform] !== undefined) throw new Error(`names ${word} twice`);
      classes[platform] = name;
    }
  }
  const { total, ...rest } = limits;
  if (total === undefined) throw new Error("must have a total");
  return { classes, limits: rest, total };
}

/** What presence can be told. */
export const presenceKeys = {
  ...redisKeys,
  ...natsKeys,
  ...mongoKeys,
  auth: addresses(
    "OCEANCHAT_AUTH_ADDRESSES",
    "Mesh doors of auth, for the signing keys.",
    "dns:oceanchat-auth-headless:8082",
  ),
  user: addresses(
    "OCEANCHAT_USER_ADDRESSES",
    "Mesh doors of user, for who may see whom.",
    "dns:oceanchat-user-headless:8082",
  ),
  devicePolicy: devices(
    "OCEANCHAT_DEVICE_LIMITS",
    "Connections of one user at the same time, by platform (several joined by `+`) and in all; a further one replaces the oldest.",
    "ios+android=5,web=10,desktop=5,server=10,total=20",
  ),
  leaseMs: integer(
    "OCEANCHAT_GATEWAY_LEASE_MS",
    "How long a gateway counts as alive after its last sign of life, in milliseconds.",
    15_000,
    1_000,
    300_000,
  ),
  sweepIntervalMs: integer(
    "OCEANCHAT_PRESENCE_SWEEP_MS",
    "How often it is looked for gateways whose lease has ended, in milliseconds.",
    1_000,
    100,
    60_000,
  ),
} as const;
