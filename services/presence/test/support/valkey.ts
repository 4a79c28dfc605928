import { randomUUID } from "node:crypto";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { Redis } from "ioredis";
import { openRedisStore, type RedisStore } from "../../src/store.ts";
import { World } from "./watching.ts";

/** A world over a Valkey of its own, empty before each test. */
export function worldOverValkey() {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let store: RedisStore;
  let redis: Redis;
  let world: World;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ valkey: true });
    redis = new Redis(servers.redisUrl);
    store = openRedisStore(servers.redisUrl, silentLog);
  });

  after(async function () {
    this.timeout(60_000);
    store?.close();
    redis?.disconnect();
    await servers?.stop();
  });

  beforeEach(async () => {
    await redis.flushall();
    world = new World(store);
    await world.lease();
  });

  return {
    get world() {
      return world;
    },
    get redis() {
      return redis;
    },
    /** Somebody who watches a user who is here. */
    async watching() {
      const [viewerId, userId] = [randomUUID(), randomUUID()];
      const device = await world.connect(userId);
      const watcher = await world.connect(viewerId);
      const answer = await world.subscribe(watcher, [userId]);
      await world.seconds(3);
      return { world, viewerId, userId, device, watcher, answer, id: watcher.connectionId };
    },
    /** What is left of watches. */
    leftKeys: async () => (await redis.keys("presence:watch*")).sort(),
  };
}
