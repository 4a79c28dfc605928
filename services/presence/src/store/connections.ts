import type { Redis } from "ioredis";
import type {
  ConnectionStore,
  DisplacedConnection,
  LiveConnection,
  Removal,
  SilentGateway,
  StampedStore,
} from "../ports.ts";
import type { ConnectionScripts, Removed } from "./connection-scripts.ts";
import { createStamps, EPOCH_FIELD, STAMPS_KEY } from "./stamps.ts";
import { unreachable } from "./unreachable.ts";

/** Keys of connections. All of them can be lost at any time: the gateways report again within one lease. Braces: one slot. */
const keys = {
  /** Hash: connection id → entry. */
  user: (userId: string) => `presence:user:{${userId}}`,
  /** Hash, for a minute: connection that gave way → its gateway, until that is noted for the gateway. */
  unnoted: (userId: string) => `presence:unnoted:{${userId}}`,
  /** String, for a minute: this connection has gone, and a late report doesn't bring it back. */
  gone: (userId: string, connectionId: string) => `presence:gone:{${userId}}:${connectionId}`,
  /** String with the lease as its time to live: the gateway's address. */
  lease: (gatewayId: string) => `presence:lease:${gatewayId}`,
  /** Set, as long as a lease: the gateway's connections that gave way to others and that it may not have heard of. */
  displaced: (gatewayId: string) => `presence:displaced:{${gatewayId}}`,
  /** Sorted set: gateway id → when its lease was last renewed; negative when it has said farewell then. */
  gateways: "presence:gateways",
  /** Set: users that a gateway ever reported, for the sweep. */
  users: (gatewayId: string) => `presence:users:{${gatewayId}}`,
  /** Set: those of them who are still to be swept. */
  apart: (gatewayId: string) => `presence:apart:{${gatewayId}}`,
};

/** How many a gateway is told of by one lease. */
const DISPLACED_AT_ONCE = 500;

/** How long a connection that has gone can't come back, in milliseconds: longer than any report is under way. */
const GONE_MS = 60_000;
/** How long who gave way waits to be noted, in milliseconds: longer than a report is repeated, or a gateway lives unseen. */
const UNNOTED_MS = 60_000;

/** What a hash holds for a connection; short names, since there is one for every socket. The script adds `r`, when. */
interface Entry {
  readonly g: string;
  readonly s: string;
  readonly d: string;
  readonly p: string;
  readonly c: number;
  readonly t: number;
}

/** Connections in Redis. */
export function createConnectionStore(redis: Redis & ConnectionScripts): ConnectionStore & StampedStore {
  const stamps = createStamps(redis);
  return {
    async add(connection, { alive, dead }, policy) {
      const { userId, connectionId, gatewayId } = connection;
      const entry = [toEntry(connection), alive, dead, policy].map((value) => JSON.stringify(value));
      const own = [keys.user(userId), keys.unnoted(userId), keys.gone(userId, connectionId)] as const;
      const [, [what, ...rest]] = await Promise.all([
        // Before the entry: an entry whose user isn't in the set would never be swept.
        redis.sadd(keys.users(gatewayId), userId).catch(unreachable),
        redis.presenceAdd(...own, connectionId, ...entry, UNNOTED_MS).catch(unreachable),
        // After the entry, on the same connection: whoever sees the old stamp has asked before the entry counts.
        stamps.renew(userId),
      ]);
      return what === "ask" ? { ask: rest } : { displaced: pairs(rest) };
    },
    async remove(userId, connectionId) {
      const own = [keys.user(userId), keys.unnoted(userId), keys.gone(userId, connectionId)] as const;
      const [answer] = await Promise.all([
        redis.presenceRemove(...own, connectionId, GONE_MS).catch(unreachable),
        stamps.renew(userId),
      ]);
      return removalOf(answer);
    },
    async noteDisplaced(userId, displaced, leaseMs) {
      await Promise.all(
        displaced.flatMap(({ connectionId, gatewayId }) => [
          redis.sadd(keys.displaced(gatewayId), connectionId).catch(unreachable),
          redis.pexpire(keys.displaced(gatewayId), leaseMs).catch(unreachable),
        ]),
      );
      const noted = displaced.map(({ connectionId }) => connectionId);
      await redis.hdel(keys.unnoted(userId), ...noted).catch(unreachable);
    },
    takeDisplaced: (gatewayId) => redis.spop(keys.displaced(gatewayId), DISPLACED_AT_ONCE).catch(unreachable),
    async renewLease(gatewayId, address, leaseMs, nowMs) {
      const [, , before] = await Promise.all([
        redis.hsetnx(STAMPS_KEY, EPOCH_FIELD, nowMs).catch(unreachable),
        redis.presenceRenewed(keys.gateways, gatewayId).catch(unreachable),
        redis.set(keys.lease(gatewayId), address, "PX", leaseMs, "GET").catch(unreachable),
      ]);
      return before !== null;
    },
    async endLease(gatewayId, lastingMs, nowMs) {
      await redis.pexpire(keys.lease(gatewayId), lastingMs).catch(unreachable);
      // Below all that live: the sweep need not wait for a whole lease.
      await redis.zadd(keys.gateways, -nowMs, gatewayId).catch(unreachable);
    },
    async addressesOf(gatewayIds) {
      // One by one in a pipeline: they lie in different slots.
      const answers = await Promise.all(gatewayIds.map((id) => redis.get(keys.lease(id)).catch(unreachable)));
      return new Map(
        gatewayIds.flatMap((gatewayId, index): [string, string][] => {
          const address = answers[index];
          return typeof address === "string" ? [[gatewayId, address]] : [];
        }),
      );
    },
    connectionsOf: async (userIds) => (await read(redis, [], userIds)).connections,
    stampedConnectionsOf: (slots, userIds) => read(redis, slots, userIds),
    async silent(leaseMs, limit) {
      const [nowMs, ...rest] = await redis.presenceSilent(keys.gateways, leaseMs, limit).catch(unreachable);
      const gateways = pairsOf(rest).map(
        ([gatewayId, ms]): SilentGateway => ({ gatewayId, renewedMs: Math.abs(Number(ms)) }),
      );
      return { nowMs: Number(nowMs), gateways };
    },
    reportedBy: (gatewayId, limit) =>
      redis.presenceSetApart(keys.users(gatewayId), keys.apart(gatewayId), limit).catch(unreachable),
    async sweep(gatewayId, userIds, addedBeforeMs) {
      const answers = await Promise.all(
        userIds.map((userId) =>
          redis.presenceSweep(keys.user(userId), keys.unnoted(userId), gatewayId, addedBeforeMs).catch(unreachable),
        ),
      );
      return new Map(answers.map((answer, index) => [userIds[index] ?? "", removalOf(answer)]));
    },
    async swept(gatewayId, userIds, keep) {
      if (keep.length > 0) await redis.sadd(keys.users(gatewayId), ...keep).catch(unreachable);
      if (userIds.length > 0) await redis.srem(keys.apart(gatewayId), ...userIds).catch(unreachable);
    },
    async forget(gatewayId, silentSinceMs) {
      await redis.presenceForget(keys.gateways, gatewayId, silentSinceMs).catch(unreachable);
    },
  };
}

/** One pipeline, however many users. Redis answers in its order: the stamps are those of before. */
async function read(redis: Redis, slots: readonly number[], userIds: readonly string[]) {
  const stamps = new Map<number, string>();
  const connections: LiveConnection[] = [];
  const pipeline = redis.pipeline();
  pipeline.hmget(STAMPS_KEY, EPOCH_FIELD, ...slots.map(String));
  for (const userId of userIds) pipeline.hgetall(keys.user(userId));
  const answers = ((await pipeline.exec().catch(unreachable)) ?? []).map(([error, answer]) =>
    error === null ? answer : unreachable(error),
  );
  const [epoch, ...found] = answers.shift() as (string | null)[];
  for (const [index, slot] of slots.entries()) {
    const stamp = found[index];
    if (typeof stamp === "string") stamps.set(slot, stamp);
  }
  for (const [index, userId] of userIds.entries()) {
    const entries = Object.entries((answers[index] ?? {}) as Record<string, string>);
    for (const [connectionId, entry] of entries) connections.push(fromEntry(userId, connectionId, entry));
  }
  return { stamps, connections, epochMs: typeof epoch === "string" ? Number(epoch) : undefined };
}

function toEntry(connection: LiveConnection): Entry {
  const { gatewayId, sessionId, deviceId, platform, codec, connectedAtMs } = connection;
  return { g: gatewayId, s: sessionId, d: deviceId, p: platform, c: codec, t: connectedAtMs };
}

function fromEntry(userId: string, connectionId: string, text: string): LiveConnection {
  const { g, s, d, p, c, t } = JSON.parse(text) as Entry;
  const codec = c as LiveConnection["codec"];
  return { connectionId, gatewayId: g, userId, sessionId: s, deviceId: d, platform: p, codec, connectedAtMs: t };
}

const removalOf = ([removed, unnoted, ...gatewayIds]: Removed): Removal => ({
  removed: removed > 0,
  otherGatewayIds: gatewayIds,
  unnoted: pairs(unnoted),
});

function pairsOf(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) list.push([flat[index] ?? "", flat[index + 1] ?? ""]);
  return list;
}

const pairs = (flat: readonly string[]): DisplacedConnection[] =>
  pairsOf(flat).map(([connectionId, gatewayId]) => ({ connectionId, gatewayId }));
