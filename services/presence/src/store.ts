import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { ChangeQueue, WatchStore } from "./ports/watches.ts";
import type { ConnectionStore, LeftStore, StampedStore, Turns } from "./ports.ts";
import { type ChangeScripts, changeScripts, createChangeQueue } from "./store/changes.ts";
import { type ConnectionScripts, connectionScripts } from "./store/connection-scripts.ts";
import { createConnectionStore } from "./store/connections.ts";
import { GatheringRedis } from "./store/gathering-redis.ts";
import { createLeftStore, createTurns, type LeftScripts, leftScripts } from "./store/left.ts";
import { createWatchStore, type WatchScripts, watchScripts } from "./store/watches.ts";

/** What presence keeps in Redis. */
export interface RedisStore {
  readonly connections: ConnectionStore & StampedStore;
  readonly watches: WatchStore;
  readonly queue: ChangeQueue;
  readonly left: LeftStore;
  readonly turns: Turns;
  close(): void;
}

/** Connects to Redis or Valkey. Commands fail at once while it is away: presence is a hint, and waiting would hold up messages. */
export function openRedisStore(url: string, log: Logger): RedisStore {
  const redis: Redis = new GatheringRedis(url, {
    maxRetriesPerRequest: 1,
    commandTimeout: 2_000,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
    scripts: { ...connectionScripts, ...leftScripts, ...watchScripts, ...changeScripts },
  });
  redis.on("error", (error) => log.warn({ err: error }, "redis"));
  const scripted = redis as Redis & ConnectionScripts & LeftScripts & WatchScripts & ChangeScripts;
  return {
    connections: createConnectionStore(scripted),
    left: createLeftStore(scripted),
    turns: createTurns(redis),
    watches: createWatchStore(scripted),
    queue: createChangeQueue(scripted),
    close: () => redis.disconnect(),
  };
}
