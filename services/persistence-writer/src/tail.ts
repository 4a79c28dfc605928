import { once } from "node:events";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { keyOf } from "@oceanchat/runtime/declared-names";
import { type ChainableCommander, Redis } from "ioredis";
import type { Logger } from "pino";
import { TAIL_BYTES, TAIL_RECORDS } from "./core/tail.ts";
import type { Tail, TailAddition } from "./ports.ts";

/** How long a batch waits for Redis, in milliseconds. */
const WAIT_MS = 200;
/** How long it is left alone after it has failed, in milliseconds. */
const PAUSE_MS = 5_000;
/** How long a starting process waits for it, in milliseconds. */
const START_MS = 1_000;
/** After this time without a record a conversation's tail goes, in seconds. */
const EXPIRE_SECONDS = 86_400;

/** Adds records and takes the oldest away until count and bytes are within their limits. */
const ADD = `
redis.call('ZADD', KEYS[1], unpack(ARGV, 4))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -tonumber(ARGV[1]) - 1)
local members = redis.call('ZREVRANGE', KEYS[1], 0, -1)
local bytes = 0
for i = 1, #members do
  bytes = bytes + #members[i]
  if bytes > tonumber(ARGV[2]) then
    redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #members - i)
    break
  end
end
return redis.call('EXPIRE', KEYS[1], ARGV[3])`;

interface Scripts {
  tailAdd(key: string, maxRecords: number, maxBytes: number, seconds: number, ...members: (string | Buffer)[]): unknown;
}

/** The tail with its connection. */
export interface RedisTail extends Tail {
  close(): void;
}

/** Connects to Redis or Valkey, which may be away. */
export async function openTail(url: string, log: Logger, pauseMs = PAUSE_MS): Promise<RedisTail> {
  const redis = new Redis(url, {
    // What can't be sent now is not sent later: the next batch is as good.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
    scripts: { tailAdd: { lua: ADD, numberOfKeys: 1 } },
  });
  redis.on("error", (error) => log.debug({ err: error }, "redis"));
  await once(redis, "ready", { signal: AbortSignal.timeout(START_MS) }).catch((error: unknown) => {
    log.warn({ err: error }, "redis is not there yet; going on without it");
  });
  return new PausingTail(redis, log, pauseMs);
}

/** Gives Redis up for a while when it fails, so that one that is dead or stuck costs nothing. */
class PausingTail implements RedisTail {
  readonly #redis: Redis;
  readonly #log: Logger;
  readonly #pauseMs: number;
  readonly #key = keyOf(TailRecordSchema);
  #pausedUntil = 0;
  #failing = false;

  constructor(redis: Redis, log: Logger, pauseMs: number) {
    this.#redis = redis;
    this.#log = log;
    this.#pauseMs = pauseMs;
  }

  async add(additions: readonly TailAddition[]): Promise<void> {
    const now = performance.now();
    if (additions.length === 0 || now < this.#pausedUntil) return;
    // The first after a pause goes alone.
    if (this.#failing) this.#pausedUntil = now + this.#pauseMs;
    try {
      await this.#inTime(this.#send(additions));
      if (this.#failing) this.#log.info("the tail is written again");
      this.#failing = false;
      this.#pausedUntil = 0;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ err: error, everyMs: this.#pauseMs }, "the tail is not written");
      this.#failing = true;
      this.#pausedUntil = performance.now() + this.#pauseMs;
    }
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** One pipeline, however many conversations. */
  async #send(additions: readonly TailAddition[]): Promise<void> {
    if (this.#redis.status !== "ready") throw new Error(`redis is ${this.#redis.status}`);
    const pipeline = this.#redis.pipeline() as ChainableCommander & Scripts;
    for (const { conversationId, records } of additions) {
      const members = records.flatMap(({ seq, encoded }) => [
        String(seq),
        Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length),
      ]);
      pipeline.tailAdd(
        this.#key({ conversation_id: conversationId }),
        TAIL_RECORDS,
        TAIL_BYTES,
        EXPIRE_SECONDS,
        ...members,
      );
    }
    for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
  }

  async #inTime(sent: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`redis did not answer in ${WAIT_MS} ms`));
      // What waits in a connection that hangs would wait in memory.
      if (this.#redis.status === "ready") this.#redis.disconnect(true);
    }, WAIT_MS);
    try {
      await Promise.race([sent, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
