import type { Redis } from "ioredis";
import type { ChangeQueue } from "../ports/watches.ts";
import { unreachable } from "./unreachable.ts";

/** Sorted sets of user ids. Their one tag keeps them in one slot of a cluster, since the scripts touch all of them. */
const keys = [
  /** When a user is to be looked at. */
  "presence:{changes}:due",
  /** Until when he is an instance's. */
  "presence:{changes}:taken",
  /** Until when he is not looked at again. */
  "presence:{changes}:resting",
] as const;

/** A time, then users: notes them, unless they are due before. */
const NOTE = `
for i = 2, #ARGV do
  local at = tonumber(ARGV[1])
  local rests = redis.call('ZSCORE', KEYS[3], ARGV[i])
  if rests and tonumber(rests) > at then at = tonumber(rests) end
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if not due or tonumber(due) > at then redis.call('ZADD', KEYS[1], at, ARGV[i]) end
end
return 0`;

/** Limit, now, until: what an instance took and never gave back is due again; then those that are due and nobody's. */
const TAKE = `
local limit = tonumber(ARGV[1])
for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, limit)) do
  redis.call('ZREM', KEYS[2], user)
  if not redis.call('ZSCORE', KEYS[1], user) then redis.call('ZADD', KEYS[1], ARGV[2], user) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[2])
local taken = {}
for _, user in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[2], 'LIMIT', 0, 4 * limit)) do
  if #taken < limit and not redis.call('ZSCORE', KEYS[2], user) and not redis.call('ZSCORE', KEYS[3], user) then
    redis.call('ZREM', KEYS[1], user)
    redis.call('ZADD', KEYS[2], ARGV[3], user)
    taken[#taken + 1] = user
  end
end
return taken`;

/** Until, how many are to be looked at again, those, the others. */
const DONE = `
for i = 3, #ARGV do
  redis.call('ZREM', KEYS[2], ARGV[i])
  redis.call('ZADD', KEYS[3], ARGV[1], ARGV[i])
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due or i < 3 + tonumber(ARGV[2]) then redis.call('ZADD', KEYS[1], ARGV[1], ARGV[i]) end
end
return 0`;

type Keys = typeof keys;
/** What they look like as commands. */
export interface ChangeScripts {
  presenceNote(...args: [...Keys, number, ...string[]]): Promise<number>;
  presenceTake(...args: [...Keys, number, number, number]): Promise<string[]>;
  presenceDone(...args: [...Keys, number, number, ...string[]]): Promise<number>;
}

/** The scripts of changes. */
export const changeScripts = {
  presenceNote: { lua: NOTE, numberOfKeys: 3 },
  presenceTake: { lua: TAKE, numberOfKeys: 3 },
  presenceDone: { lua: DONE, numberOfKeys: 3 },
} as const;

/** Users of one script call. */
const SLICE = 500;

/** The queue of users to be looked at, shared by all instances. */
export function createChangeQueue(redis: Redis & ChangeScripts): ChangeQueue {
  return {
    async note(userIds, dueMs) {
      for (let from = 0; from < userIds.length; from += SLICE) {
        await redis.presenceNote(...keys, dueMs, ...userIds.slice(from, from + SLICE)).catch(unreachable);
      }
    },
    take: (limit, nowMs, untilMs) => redis.presenceTake(...keys, limit, nowMs, untilMs).catch(unreachable),
    async done(userIds, again, restUntilMs) {
      await redis.presenceDone(...keys, restUntilMs, again.length, ...again, ...userIds).catch(unreachable);
    },
  };
}
