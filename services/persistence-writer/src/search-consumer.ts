import { fromBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, Consumption, Delivered } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { type SearchIndex, searchChangesOf } from "./core/search-words.ts";
import { RecordRefusedError } from "./errors.ts";

/** The durable consumer's name. */
export const SEARCH_CONSUMER = "search-index";
/** How long a message waits for others: nobody looks for what he has just read, and a fuller batch costs the store less. */
const LINGER_MS = 1000;
const LANES = 2;
const MAX_BATCH = 500;
const MAX_IN_FLIGHT = 2000;
/** Over all processes. */
const MAX_ACK_PENDING = 8000;

/** Starts to index what conversations say, apart from storing it: neither waits for the other. */
export async function consumeForSearch(bus: Bus, index: SearchIndex): Promise<Consumption> {
  const stream = streamOf(LogEntrySchema);
  await bus.ensureConsumer(LogEntrySchema, {
    name: SEARCH_CONSUMER,
    filterSubjects: [stream.filterOf("conversation")],
    ackWaitMs: 15_000,
    maxAckPending: MAX_ACK_PENDING,
    maxDeliver: -1,
  });
  return bus.consume({
    stream: stream.name,
    consumer: SEARCH_CONSUMER,
    lanes: LANES,
    laneOf: ({ subject }) => Number(stream.parse(subject)?.tokens.partition ?? 0) % LANES,
    maxBatch: MAX_BATCH,
    lingerMs: LINGER_MS,
    maxInFlight: MAX_IN_FLIGHT,
    handle: async (batch) => {
      const records = batch.flatMap((message) => entryOf(message)?.record ?? []);
      await index.apply(searchChangesOf(records));
    },
    retryDelayMs: (failures) => Math.min(100 * 2 ** (failures - 1), 5000) * (0.5 + Math.random() / 2),
    poison: (_message, error) => (error instanceof RecordRefusedError ? error.message : undefined),
  });
}

/** What is no log entry has no words; the consumer that stores records sends it to the dead. */
function entryOf({ data }: Delivered): LogEntry | undefined {
  try {
    return fromBinary(LogEntrySchema, data);
  } catch {
    return undefined;
  }
}
