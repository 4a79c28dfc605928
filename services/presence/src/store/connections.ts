import type { Redis } from "ioredis";
import type { ConnectionStore, DisplacedConnection, LiveConnection, StampedStore } from "../ports.ts";
import { createStamps, STAMPS_KEY } from "./stamps.ts";
import { unreachable } from "./unreachable.ts";

/** Every key of presence. All of them can be lost at any time: the gateways report again within one lease. */
const keys = {
  /** Hash: connection id → entry. */
  user: (userId: string) => `presence:user:${userId}`,
  /** String with the lease as its time to live: the gateway's address. */
  lease: (gatewayId: string) => `presence:lease:${gatewayId}`,
  /** Sorted set: gateway id → when its lease was last renewed. */
  gateways: "presence:gateways",
  /** Set: users that a gateway ever reported, for the sweep. */
  users: (gatewayId: string) => `presence:users:${gatewayId}`,
};

/** What a hash holds for a connection; short names, since there is one for every socket. */
interface Entry {
  readonly g: string;
  readonly s: string;
  readonly d: string;
  readonly p: string;
  readonly c: number;
  readonly t: number;
  /** When it was added, in milliseconds since the epoch. */
  readonly r: number;
}

/**
 * Adds a connection unless a newer one of the same device is there; removes the older ones. Atomic, so that of two connections
 * that come at once exactly one stays. Answers with the ids and gateways of those that give way.
 */
const ADD = `
local mine = cjson.decode(ARGV[2])
local gone = {}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local other = cjson.decode(entries[i + 1])
  if entries[i] ~= ARGV[1] and other.d == mine.d then
    if other.t > mine.t then return {ARGV[1], mine.g} end
    redis.call('HDEL', KEYS[1], entries[i])
    gone[#gone + 1] = entries[i]
    gone[#gone + 1] = other.g
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return gone`;

/** Removes a user's entries that belong to a gateway and were added before a time. */
const SWEEP = `
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local entry = cjson.decode(entries[i + 1])
  if entry.g == ARGV[1] and entry.r < tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], entries[i]) end
end
return 0`;

/** What they look like as commands. */
export interface ConnectionScripts {
  presenceAdd(key: string, connectionId: string, entry: string): Promise<string[]>;
  presenceSweep(key: string, gatewayId: string, addedBeforeMs: number): Promise<number>;
}

/** The scripts of connections. */
export const connectionScripts = {
  presenceAdd: { lua: ADD, numberOfKeys: 1 },
  presenceSweep: { lua: SWEEP, numberOfKeys: 1 },
} as const;

/** Connections in Redis. */
export function createConnectionStore(redis: Redis & ConnectionScripts): ConnectionStore & StampedStore {
  const stamps = createStamps(redis);
  return {
    async add(connection, nowMs) {
      const { userId, connectionId, gatewayId } = connection;
      const [, displaced] = await Promise.all([
        redis.sadd(keys.users(gatewayId), userId).catch(unreachable),
        redis
          .presenceAdd(keys.user(userId), connectionId, JSON.stringify(toEntry(connection, nowMs)))
          .catch(unreachable),
        // After the entry, on the same connection: whoever sees the old stamp has asked before the entry counts.
        stamps.renew(userId),
      ]);
      return pairs(displaced).map(([id, gateway]): DisplacedConnection => ({ connectionId: id, gatewayId: gateway }));
    },
    async remove(userId, connectionId) {
      await Promise.all([redis.hdel(keys.user(userId), connectionId).catch(unreachable), stamps.renew(userId)]);
    },
    async renewLease(gatewayId, address, leaseMs, nowMs) {
      const [, before] = await Promise.all([
        redis.zadd(keys.gateways, nowMs, gatewayId).catch(unreachable),
        redis.set(keys.lease(gatewayId), address, "PX", leaseMs, "GET").catch(unreachable),
      ]);
      return before !== null;
    },
    async endLease(gatewayId) {
      await redis.del(keys.lease(gatewayId)).catch(unreachable);
    },
    async addressesOf(gatewayIds) {
      if (gatewayIds.length === 0) return new Map();
      const addresses = await redis.mget(gatewayIds.map(keys.lease)).catch(unreachable);
      return new Map(
        gatewayIds.flatMap((gatewayId, index): [string, string][] => {
          const address = addresses[index];
          return typeof address === "string" ? [[gatewayId, address]] : [];
        }),
      );
    },
    connectionsOf: async (userIds) => (await read(redis, [], userIds)).connections,
    stampedConnectionsOf: (slots, userIds) => read(redis, slots, userIds),
    gatewaysSilentSince: (timeMs, limit) =>
      redis.zrangebyscore(keys.gateways, "-inf", timeMs, "LIMIT", 0, limit).catch(unreachable),
    async sweep(gatewayId, addedBeforeMs, limit) {
      const userIds = await redis.spop(keys.users(gatewayId), limit).catch(unreachable);
      await Promise.all(
        userIds.map((userId) => redis.presenceSweep(keys.user(userId), gatewayId, addedBeforeMs).catch(unreachable)),
      );
      if (userIds.length > 0) return true;
      await redis.zrem(keys.gateways, gatewayId).catch(unreachable);
      return false;
    },
  };
}

/** One pipeline, however many users. Redis answers in its order: the stamps are those of before. */
async function read(redis: Redis, slots: readonly number[], userIds: readonly string[]) {
  const stamps = new Map<number, string>();
  const connections: LiveConnection[] = [];
  if (slots.length + userIds.length === 0) return { stamps, connections };
  const pipeline = redis.pipeline();
  if (slots.length > 0) pipeline.hmget(STAMPS_KEY, ...slots.map(String));
  for (const userId of userIds) pipeline.hgetall(keys.user(userId));
  const answers = ((await pipeline.exec().catch(unreachable)) ?? []).map(([error, answer]) =>
    error === null ? answer : unreachable(error),
  );
  const found = slots.length > 0 ? (answers.shift() as (string | null)[]) : [];
  for (const [index, slot] of slots.entries()) {
    const stamp = found[index];
    if (typeof stamp === "string") stamps.set(slot, stamp);
  }
  for (const [index, userId] of userIds.entries()) {
    const entries = Object.entries((answers[index] ?? {}) as Record<string, string>);
    for (const [connectionId, entry] of entries) connections.push(fromEntry(userId, connectionId, entry));
  }
  return { stamps, connections };
}

function toEntry(connection: LiveConnection, nowMs: number): Entry {
  const { gatewayId, sessionId, deviceId, platform, codec, connectedAtMs } = connection;
  return { g: gatewayId, s: sessionId, d: deviceId, p: platform, c: codec, t: connectedAtMs, r: nowMs };
}

function fromEntry(userId: string, connectionId: string, text: string): LiveConnection {
  const { g, s, d, p, c, t } = JSON.parse(text) as Entry;
  const codec = c as LiveConnection["codec"];
  return { connectionId, gatewayId: g, userId, sessionId: s, deviceId: d, platform: p, codec, connectedAtMs: t };
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) list.push([flat[index] ?? "", flat[index + 1] ?? ""]);
  return list;
}
