import { fromBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, Consumption, Delivered, Outcome } from "@oceanchat/runtime/bus-types";
import type { Host } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { type WritableEntry, writableEntry } from "./core/entry.ts";
import { joinedWrites } from "./core/joined.ts";
import type { Progress } from "./core/progress.ts";
import type { WriterCore, Written } from "./core.ts";
import { RecordRefusedError } from "./errors.ts";

/** The durable consumer's name. */
export const CONSUMER = "persistence-writer";
/** Batches written at the same time. A conversation is always in the same lane, so two batches never race for one head. */
const LANES = 4;
/** How long a batch is gathered, in milliseconds: a statement costs the store as much as ten records in it. What waits is read from the log. */
const LINGER_MS = 200;
/** Large: heads and lists move once per batch, and moving one costs the store more than inserting a record. */
const MAX_BATCH = 2000;
const MAX_IN_FLIGHT = 12_000;
/** Over all processes. */
const MAX_ACK_PENDING = 32_000;

/** A record that waits for longer is worth a line, even when all of them are held by this process. */
const LATE_MS = 5_000;

/** Starts to store what the log holds. */
export async function consumeLog(
  bus: Bus,
  core: WriterCore,
  progress: Progress,
  log: Host["log"],
): Promise<Consumption> {
  const stream = streamOf(LogEntrySchema);
  const joined = joinedWrites(core, MAX_BATCH);
  const laneOf = ({ subject }: { readonly subject: string }) =>
    Number(stream.parse(subject)?.tokens.partition ?? 0) % LANES;
  await bus.ensureConsumer(LogEntrySchema, {
    name: CONSUMER,
    ackWaitMs: 15_000,
    maxAckPending: MAX_ACK_PENDING,
    // A store that is down is no reason to give a record up.
    maxDeliver: -1,
  });
  return bus.consume({
    stream: stream.name,
    consumer: CONSUMER,
    lanes: LANES,
    laneOf,
    maxBatch: MAX_BATCH,
    lingerMs: LINGER_MS,
    maxInFlight: MAX_IN_FLIGHT,
    handle: async (batch) => {
      const [first] = batch;
      const lane = first === undefined ? 0 : laneOf(first);
      progress.began(lane, first?.time.getTime() ?? 0);
      const outcomes = await handleBatch(joined, log, batch);
      progress.ended(lane, batch.length);
      return outcomes;
    },
    retryDelayMs: (failures) => Math.min(100 * 2 ** (failures - 1), 5000) * (0.5 + Math.random() / 2),
    poison: (_message, error) => (error instanceof RecordRefusedError ? error.message : undefined),
  });
}

/** Stores a batch and says what became of each message. */
export async function handleBatch(core: WriterCore, log: Host["log"], batch: readonly Delivered[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = batch.map(() => "ack");
  const entries: WritableEntry[] = [];
  const indexes: number[] = [];
  for (const [index, message] of batch.entries()) {
    try {
      const { sequence, messageId, data } = message;
      entries.push(writableEntry(decode(message), { streamSequence: BigInt(sequence), messageId, encoded: data }));
      indexes.push(index);
    } catch (error) {
      outcomes[index] = { dead: error instanceof Error ? error.message : String(error) };
    }
  }
  const written = entries.length === 0 ? [] : await core.write(entries);
  for (const [position, answer] of written.entries()) {
    const outcome = outcomeOf(answer, entries[position], log);
    outcomes[indexes[position] ?? 0] = outcome;
  }
  return outcomes;
}

function decode(message: Delivered): LogEntry {
  try {
    return fromBinary(LogEntrySchema, message.data);
  } catch (cause) {
    throw new Error("not a log entry", { cause });
  }
}

function outcomeOf(written: Written, entry: WritableEntry | undefined, log: Host["log"]): Outcome {
  const { conversationId, seq, recordId } = entry?.row ?? {};
  const where = { conversationId, seq: String(seq), recordId };
  switch (written.kind) {
    case "stored":
      return "ack";
    case "repeated":
      log.error(where, "a client_message_id was accepted twice; the second record is stored without it");
      return "ack";
    case "contradicted":
      log.error({ ...where, reason: written.reason }, "THE LOG CONTRADICTS THE STORE: a record was not stored");
      return { dead: written.reason };
  }
}

/** Says how far the writer is behind, when it is; to be called again and again. */
export async function reportBacklog(
  consumption: Pick<Consumption, "lag" | "held">,
  progress: Progress,
  log: Host["log"],
  nowMs: number,
): Promise<void> {
  const pending = await consumption.lag();
  const held = consumption.held().messages;
  const backlog = progress.look(nowMs, pending + held);
  if (pending > 0 || backlog.oldestMs > LATE_MS) log.info({ ...backlog, held }, "records wait to be stored");
}
