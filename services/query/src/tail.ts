import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { keyOf } from "@oceanchat/runtime/declared-names";
import { Redis } from "ioredis";
import type { Logger } from "pino";
import { Breaker } from "./breaker.ts";
import type { PlacedRecord, RecordTail } from "./ports.ts";

/** How long a page waits for the tail, in milliseconds. */
const WAIT_MS = 150;
const RULES = { failures: 3, openMs: 1_000 };
/** More than the tail ever holds. */
const RECORDS_READ = 200;

/** The tail with its connection. */
export interface RedisTail extends RecordTail {
  close(): void;
}

/** Connects to Redis or Valkey, which may be away, be slow and lose everything: then the tail is as if it were empty. */
export function openTail(url: string, log: Logger, waitMs = WAIT_MS): RedisTail {
  const redis = new Redis(url, {
    // What can't be asked now is read elsewhere.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: waitMs,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
  });
  redis.on("error", (error) => log.debug({ err: error }, "redis"));
  const breaker = new Breaker(RULES);
  const keyFor = keyOf(TailRecordSchema);
  return {
    async from(conversationId, fromSeq) {
      if (!breaker.admits(performance.now())) return [];
      try {
        const key = keyFor({ conversation_id: conversationId });
        const members = await redis.zrangebyscoreBuffer(key, String(fromSeq), "+inf", "LIMIT", 0, RECORDS_READ);
        const records = members.map(placed);
        breaker.succeeded();
        return records;
      } catch (error) {
        if (breaker.failed(performance.now())) log.warn({ err: error }, "the tail can't be read, going on without it");
        return [];
      }
    },
    close: () => redis.disconnect(),
  };
}

function placed(member: Uint8Array): PlacedRecord {
  const { record, streamSequence } = fromBinary(TailRecordSchema, member);
  return { record: fromBinary(RecordSchema, record), streamSequence: Number(streamSequence) };
}
