/**
 * Adds a connection as the device policy says, unless it has gone already. Atomic, so that of two that come at once exactly one
 * stays. Entries of gateways that don't live count for nothing; for gateways of which it isn't told whether they live, it asks
 * and changes nothing. Times are the server's, so that instances whose clocks differ agree. Who gives way stays among the unnoted
 * until its gateway's note is written, and is named by each answer: the note lies in another slot.
 * KEYS: the user, the unnoted, the mark of a connection that has gone. ARGV: id, entry, the gateways that live, those that don't, the
 * policy, how long the unnoted are kept.
 */
const ADD = `
if redis.call('EXISTS', KEYS[3]) == 1 then return {'done'} end
local id, mine, alive, dead, policy = ARGV[1], cjson.decode(ARGV[2]), {}, {}, cjson.decode(ARGV[5])
for _, g in ipairs(cjson.decode(ARGV[3])) do alive[g] = true end
for _, g in ipairs(cjson.decode(ARGV[4])) do dead[g] = true end
alive[mine.g] = true
local asked, others = {'ask'}, {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  if flat[i] ~= id then
    local other = cjson.decode(flat[i + 1])
    if alive[other.g] then
      other.id = flat[i]
      others[#others + 1] = other
    elseif not dead[other.g] then
      asked[#asked + 1] = other.g
    end
  end
end
if #asked > 1 then return asked end

local function older(a, b) return a.t < b.t or (a.t == b.t and a.id < b.id) end
mine.id = id
local gone = {}
local function give_way(entry)
  if entry.id == id then return true end
  gone[#gone + 1] = entry
  return false
end
local stay = {}
for _, other in ipairs(others) do
  if other.d ~= mine.d then
    stay[#stay + 1] = other
  else
    if other.t > mine.t then return {'done', id, mine.g} end
    give_way(other)
  end
end
stay[#stay + 1] = mine
table.sort(stay, older)
local function class(entry) return policy.classes[entry.p] or '' end
local function limit(most, counts)
  local count, left = 0, {}
  for _, entry in ipairs(stay) do if counts(entry) then count = count + 1 end end
  for _, entry in ipairs(stay) do
    if counts(entry) and count > most then
      count = count - 1
      if give_way(entry) then return true end
    else
      left[#left + 1] = entry
    end
  end
  stay = left
  return false
end
local name = class(mine)
local most = policy.limits[name]
local refused = (most and limit(most, function(entry) return class(entry) == name end))
  or limit(policy.total, function() return true end)
if refused then return {'done', id, mine.g} end

local now = redis.call('TIME')
mine.id = nil
mine.r = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HDEL', KEYS[2], id)
for _, entry in ipairs(gone) do
  redis.call('HDEL', KEYS[1], entry.id)
  redis.call('HSET', KEYS[2], entry.id, entry.g)
end
if #gone > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[6]) end
redis.call('HSET', KEYS[1], id, cjson.encode(mine))
local answer = redis.call('HGETALL', KEYS[2])
table.insert(answer, 1, 'done')
return answer`;

/**
 * Removes a connection's own entry and marks it as gone, so that a report of it that comes late doesn't bring it back. Answers
 * whether it was there, the unnoted, and the gateways of the others. KEYS: as for adding.
 */
const REMOVE = `
local answer = {redis.call('HDEL', KEYS[1], ARGV[1]), redis.call('HGETALL', KEYS[2])}
redis.call('SET', KEYS[3], '', 'PX', ARGV[2])
for _, entry in ipairs(redis.call('HVALS', KEYS[1])) do answer[#answer + 1] = cjson.decode(entry).g end
return answer`;

/** Removes a user's entries of a gateway that were added before a time. Answers how many, the unnoted, and the gateways of the others. */
const SWEEP = `
local answer = {0, redis.call('HGETALL', KEYS[2])}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local entry = cjson.decode(entries[i + 1])
  if entry.g == ARGV[1] and entry.r < tonumber(ARGV[2]) then
    answer[1] = answer[1] + redis.call('HDEL', KEYS[1], entries[i])
  else
    answer[#answer + 1] = entry.g
  end
end
return answer`;

/** Notes that a gateway lives. */
const RENEWED = `
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return 0`;

/** Gateways that have been silent for a lease, with the time of their last sign of life; the server's time comes first. */
const SILENT = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms - ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
table.insert(found, 1, tostring(ms))
return found`;

/**
 * Some of the users whom a gateway had reported when it was silent. They are set apart first: whom it reports when it comes back
 * is not among them.
 */
const SET_APART = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('SUNIONSTORE', KEYS[2], KEYS[1], KEYS[2])
    redis.call('DEL', KEYS[1])
  else
    redis.call('RENAME', KEYS[1], KEYS[2])
  end
end
return redis.call('SRANDMEMBER', KEYS[2], ARGV[1])`;

/** Forgets a gateway of which nothing is left, unless it has given a sign of life since. */
const FORGET = `
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if at and tonumber(at) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0`;

/** The scripts of connections. Each touches keys of one slot. */
export const connectionScripts = {
  presenceAdd: { lua: ADD, numberOfKeys: 3 },
  presenceRemove: { lua: REMOVE, numberOfKeys: 3 },
  presenceSweep: { lua: SWEEP, numberOfKeys: 2 },
  presenceRenewed: { lua: RENEWED, numberOfKeys: 1 },
  presenceSilent: { lua: SILENT, numberOfKeys: 1 },
  presenceSetApart: { lua: SET_APART, numberOfKeys: 2 },
  presenceForget: { lua: FORGET, numberOfKeys: 1 },
} as const;

/** How many entries were removed; the unnoted, id and gateway by turns; the gateways of the others. */
export type Removed = [number, string[], ...string[]];

/** What they look like as commands. */
export interface ConnectionScripts {
  presenceAdd(user: string, unnoted: string, gone: string, ...args: (string | number)[]): Promise<string[]>;
  presenceRemove(user: string, unnoted: string, gone: string, connectionId: string, markMs: number): Promise<Removed>;
  presenceSweep(user: string, unnoted: string, gatewayId: string, addedBeforeMs: number): Promise<Removed>;
  presenceRenewed(gateways: string, gatewayId: string): Promise<number>;
  presenceSilent(gateways: string, leaseMs: number, limit: number): Promise<string[]>;
  presenceSetApart(users: string, apart: string, limit: number): Promise<string[]>;
  presenceForget(gateways: string, gatewayId: string, silentSinceMs: number): Promise<number>;
}
