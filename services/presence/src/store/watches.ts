import type { Redis } from "ioredis";
import type { Sight } from "../core/view.ts";
import type { Shown, Watch, Watcher, WatchStore } from "../ports/watches.ts";
import { fromBytes, toBytes } from "../user-ids.ts";
import { unreachable } from "./unreachable.ts";

/** Every key of the watches. A script touches one key only, so all of it may be spread over a cluster. */
const keys = {
  /** Hash: connection id → watch. */
  watchers: (userId: string) => `presence:watchers:${userId}`,
  /** String: whom a connection watches. */
  watching: (connectionId: string) => `presence:watching:${connectionId}`,
  /** Set: connections of a gateway that watch. */
  connections: (gatewayId: string) => `presence:watching-at:${gatewayId}`,
  /** Set: gateways with such connections. */
  gateways: "presence:watching-gateways",
  /** Sorted set: connection id and viewer → when it is to be looked whether the connection is there. */
  doubted: "presence:watching-doubted",
  /** String, for a while: each watcher of the user is to be asked about anew. */
  review: (userId: string) => `presence:review:${userId}`,
};

/** Longer than it takes until all watchers have been gone through, also when user is away for a moment. */
const REVIEW_MS = 30_000;

/** Adds or replaces a watch, unless the user has as many as he may. */
const WATCH = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`;

/** Connection id, watch, next watch, and so on: changes those that are as they are given; an empty next watch removes. */
const CHANGE = `
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    if ARGV[i + 2] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
    else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
  end
end
return 0`;

/** Removes a connection's watch if it began before a time. */
const UNWATCH = `
local watch = redis.call('HGET', KEYS[1], ARGV[1])
if watch and tonumber(string.match(watch, '^(%d+)|')) < tonumber(ARGV[2]) then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`;

/** What they look like as commands. */
export interface WatchScripts {
  presenceWatch(key: string, connectionId: string, watch: string, most: number): Promise<number>;
  presenceChange(key: string, ...changes: readonly string[]): Promise<number>;
  presenceUnwatch(key: string, connectionId: string, begunBeforeMs: number): Promise<number>;
}

/** The scripts of watches. */
export const watchScripts = {
  presenceWatch: { lua: WATCH, numberOfKeys: 1 },
  presenceChange: { lua: CHANGE, numberOfKeys: 1 },
  presenceUnwatch: { lua: UNWATCH, numberOfKeys: 1 },
} as const;

/** Of a user, so that one whom everybody watches takes up so much and no more. */
const MAX_WATCHERS = 10_000;
/** Entries of one part. */
const PART = 500;
/** So many commands are on their way at once. */
const COMMANDS = 500;
const EVER = Number.MAX_SAFE_INTEGER;

type Client = Redis & WatchScripts;

/** Watches in Redis. */
export function createWatchStore(redis: Client): WatchStore {
  return {
    begin: (watcher, userIds, shown, nowMs) => begin(redis, watcher, userIds, shown, nowMs),
    async end(connectionId, begunBeforeMs = EVER) {
      const record = await redis.getBuffer(keys.watching(connectionId)).catch(unreachable);
      if (record === null) return;
      const { gatewayId, sinceMs, userIds } = readRecord(record);
      if (sinceMs >= begunBeforeMs) return;
      await inSlices(userIds, (userId) => redis.presenceUnwatch(keys.watchers(userId), connectionId, begunBeforeMs));
      await Promise.all([
        redis.del(keys.watching(connectionId)),
        redis.srem(keys.connections(gatewayId), connectionId),
      ]).catch(unreachable);
    },
    async show(changes) {
      await inSlices([...changes], ([userId, showings]) => {
        const args = showings.flatMap(({ before, after }) => [before.connectionId, toText(before), toText(after)]);
        return redis.presenceChange(keys.watchers(userId), ...args);
      });
    },
    async remove(userId, watches) {
      const args = watches.flatMap((watch) => [watch.connectionId, toText(watch), ""]);
      if (args.length > 0) await redis.presenceChange(keys.watchers(userId), ...args).catch(unreachable);
    },
    async watched(userIds) {
      const found: string[] = [];
      await inSlices([...new Set(userIds)], async (userId) => {
        if ((await redis.exists(keys.watchers(userId))) > 0) found.push(userId);
      });
      return found;
    },
    async review(userIds) {
      await inSlices(userIds, (userId) => redis.set(keys.review(userId), "", "PX", REVIEW_MS));
    },
    async underReview(userIds) {
      const found = new Set<string>();
      await inSlices(userIds, async (userId) => {
        if ((await redis.exists(keys.review(userId))) > 0) found.add(userId);
      });
      return found;
    },
    async part(userId, cursor) {
      const [next, entries] = await redis.hscan(keys.watchers(userId), cursor, "COUNT", PART).catch(unreachable);
      const watches: Watch[] = [];
      for (let i = 0; i + 1 < entries.length; i += 2) watches.push(fromText(entries[i] ?? "", entries[i + 1] ?? ""));
      return { watches, cursor: next };
    },
    gatewayIds: () => redis.smembers(keys.gateways).catch(unreachable),
    someOf: (gatewayId, limit) => redis.srandmember(keys.connections(gatewayId), limit).catch(unreachable),
    async forgetGateway(gatewayId) {
      await redis.srem(keys.gateways, gatewayId).catch(unreachable);
    },
    async doubt({ connectionId, viewerId }, dueMs) {
      await redis.zadd(keys.doubted, dueMs, `${connectionId} ${viewerId}`).catch(unreachable);
    },
    async doubted(nowMs, limit) {
      const due = await redis.zrangebyscore(keys.doubted, "-inf", nowMs, "LIMIT", 0, limit).catch(unreachable);
      if (due.length > 0) await redis.zrem(keys.doubted, ...due).catch(unreachable);
      return due.map((text) => {
        const [connectionId = "", viewerId = ""] = text.split(" ");
        return { connectionId, viewerId };
      });
    },
  };
}

/** What is needed to find the watches again comes first, so that none is left that nobody finds. */
async function begin(redis: Client, watcher: Watcher, userIds: readonly string[], shown: Shown, nowMs: number) {
  const { connectionId, gatewayId } = watcher;
  const [before] = await Promise.all([
    redis.setBuffer(keys.watching(connectionId), writeRecord(gatewayId, nowMs, userIds), "GET"),
    redis.sadd(keys.connections(gatewayId), connectionId),
    redis.sadd(keys.gateways, gatewayId),
  ]).catch(unreachable);
  const kept = new Set(userIds);
  const dropped = before === null ? [] : readRecord(before).userIds.filter((userId) => !kept.has(userId));
  await inSlices(dropped, (userId) => redis.hdel(keys.watchers(userId), connectionId));
  const watch = toText({ ...watcher, shown, sinceMs: nowMs });
  await inSlices(userIds, (userId) => redis.presenceWatch(keys.watchers(userId), connectionId, watch, MAX_WATCHERS));
}

/** A gateway, a time, a line's end, the users' ids as bytes. */
const writeRecord = (gatewayId: string, sinceMs: number, userIds: readonly string[]): Buffer =>
  Buffer.concat([Buffer.from(`${gatewayId} ${sinceMs}\n`), toBytes(userIds)]);

function readRecord(record: Buffer) {
  const end = record.indexOf("\n");
  const [gatewayId = "", sinceMs] = record.toString("utf8", 0, end).split(" ");
  return { gatewayId, sinceMs: Number(sinceMs), userIds: fromBytes(record.subarray(end + 1)) };
}

/** Short: there is one for each connection and each user that it watches. */
function toText({ sinceMs, gatewayId, viewerId, codec, shown }: Watch): string {
  const what = shown.kind === "form" ? `${shown.sight}|${shown.form}` : shown.kind;
  return `${sinceMs}|${gatewayId}|${viewerId}|${codec}|${what}`;
}

function fromText(connectionId: string, text: string): Watch {
  const [sinceMs, gatewayId = "", viewerId = "", codec, what = "", form] = text.split("|");
  const shown: Shown =
    form !== undefined
      ? { kind: "form", sight: what as Sight, form }
      : { kind: what === "pending" ? "pending" : "unknown" };
  return { connectionId, gatewayId, viewerId, codec: Number(codec) as Watch["codec"], shown, sinceMs: Number(sinceMs) };
}

async function inSlices<T>(items: readonly T[], command: (item: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < items.length; from += COMMANDS) {
    await Promise.all(items.slice(from, from + COMMANDS).map(command)).catch(unreachable);
  }
}
