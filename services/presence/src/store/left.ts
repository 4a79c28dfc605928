import type { Redis } from "ioredis";
import type { LeftStore, Turns } from "../ports.ts";
import { unreachable } from "./unreachable.ts";

/** Sorted set: user id → when he has gone, until it is written. */
const LEFT = "presence:left";
/** String that lasts for a turn. */
const turnKey = (name: string) => `presence:turn:${name}`;
/** With more waiting, the store being away, the longest gone are left out: their older time stays. */
const MOST = 1_000_000;

/** Removes members whose score is still the one that was written. */
const WRITTEN = `
for i = 1, #ARGV, 2 do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if at and tonumber(at) == tonumber(ARGV[i + 1]) then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return 0`;

/** The script of who has gone. */
export const leftScripts = { presenceWritten: { lua: WRITTEN, numberOfKeys: 1 } } as const;

/** What it looks like as a command. */
export interface LeftScripts {
  presenceWritten(key: string, ...pairs: string[]): Promise<number>;
}

/** Who has gone, in Redis. */
export function createLeftStore(redis: Redis & LeftScripts): LeftStore {
  return {
    async note(userIds, leftMs) {
      if (userIds.length === 0) return;
      await redis.zadd(LEFT, "GT", ...userIds.flatMap((userId) => [String(leftMs), userId])).catch(unreachable);
      await redis.zremrangebyrank(LEFT, 0, -MOST - 1).catch(unreachable);
    },
    async of(userIds) {
      if (userIds.length === 0) return new Map();
      const scores = await redis.zmscore(LEFT, ...userIds).catch(unreachable);
      return new Map(
        userIds.flatMap((userId, index): [string, number][] => {
          const score = scores[index];
          return typeof score === "string" ? [[userId, Number(score)]] : [];
        }),
      );
    },
    async waiting(limit) {
      const flat = await redis.zrange(LEFT, 0, `${limit - 1}`, "WITHSCORES").catch(unreachable);
      const found = new Map<string, number>();
      for (let index = 0; index + 1 < flat.length; index += 2) found.set(flat[index] ?? "", Number(flat[index + 1]));
      return found;
    },
    async written(left) {
      if (left.size === 0) return;
      await redis
        .presenceWritten(LEFT, ...[...left].flatMap(([userId, ms]) => [userId, String(ms)]))
        .catch(unreachable);
    },
  };
}

/** Turns, by keys that last for one. */
export const createTurns = (redis: Redis): Turns => ({
  async take(name, ms) {
    return (await redis.set(turnKey(name), "", "PX", ms, "NX").catch(unreachable)) === "OK";
  },
});
