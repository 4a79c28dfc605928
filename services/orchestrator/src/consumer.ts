import { fromBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, Consumption, Delivered, Outcome } from "@oceanchat/runtime/bus-types";
import type { Host } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { bytesOf } from "@oceanchat/runtime/wire-bytes";
import type { OrchestratorCore } from "./core.ts";
import type { Audience, Entry } from "./ports.ts";

/** The durable consumer's name. */
export const CONSUMER = "orchestrator";
/** Lanes of groups and as many of everything else: when group can't be reached, direct conversations go on. */
const LANES = 8;
const MAX_BATCH = 128;
const MAX_IN_FLIGHT = 4096;
/** Over all processes. */
const MAX_ACK_PENDING = 16_384;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Starts to hand the log over to the pushers. */
export async function consumeLog(
  bus: Bus,
  core: OrchestratorCore,
  { log, tracing }: Pick<Host, "log" | "tracing">,
): Promise<Consumption> {
  const stream = streamOf(LogEntrySchema);
  await bus.ensureConsumer(LogEntrySchema, {
    name: CONSUMER,
    ackWaitMs: 10_000,
    maxAckPending: MAX_ACK_PENDING,
    // A peer that is down is no reason to give a record up.
    maxDeliver: -1,
  });
  return bus.consume({
    stream: stream.name,
    consumer: CONSUMER,
    lanes: 2 * LANES,
    laneOf: ({ subject }) => {
      const { partition = "0", id = "" } = stream.parse(subject)?.tokens ?? {};
      return `${id.startsWith("g_") ? "group" : "user"}-${Number(partition) % LANES}`;
    },
    maxBatch: MAX_BATCH,
    maxInFlight: MAX_IN_FLIGHT,
    handle: (batch) => {
      const traceparent = batch.find((message) => message.traceparent !== "")?.traceparent ?? "";
      return tracing.span("orchestrator.handOver", traceparent, () => handleBatch(core, log, batch), {
        records: batch.length,
      });
    },
    // A defect that this record brings out each time. Whatever can't be reached is another kind of error.
    poison: (_message, error) => (error instanceof TypeError ? String(error) : undefined),
    // A message waits behind this delay: what comes back is noticed soon.
    retryDelayMs: (failures) => Math.min(100 * 2 ** (failures - 1), 2000) * (0.5 + Math.random() / 2),
  });
}

/** Hands a batch over and says what became of each message. */
export async function handleBatch(
  core: OrchestratorCore,
  log: Host["log"],
  batch: readonly Delivered[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = batch.map(() => "ack");
  const entries: Entry[] = [];
  for (const [index, message] of batch.entries()) {
    try {
      entries.push(entryOf(message));
    } catch (error) {
      outcomes[index] = { dead: error instanceof Error ? error.message : String(error) };
    }
  }
  if (entries.length > 0) {
    const { dropped } = await core.handOver(entries);
    if (dropped > 0) log.error({ dropped }, "the stream of offline tasks is full: users are not told");
  }
  return outcomes;
}

/** The record and who may see it; throws for what is none. */
function entryOf({ data, sequence, traceparent }: Delivered): Entry {
  const { record, audience } = decode(data);
  if (record === undefined || record.recordId === "" || record.conversationId === "" || record.seq === 0n) {
    throw new TypeError("a log entry without a whole record");
  }
  const encoded = bytesOf(data, LogEntrySchema.field.record.number);
  return { record, audience: audienceOf(audience), sequence, encoded, traceparent };
}

function decode(data: Uint8Array): LogEntry {
  try {
    return fromBinary(LogEntrySchema, data);
  } catch (cause) {
    throw new Error("not a log entry", { cause });
  }
}

/** Who may see it; throws for nobody. */
export function audienceOf(audience: LogEntry["audience"]): Audience {
  switch (audience.case) {
    case "direct":
      return { kind: "users", userIds: users(audience.value.userIds, 2) };
    case "userId":
      return { kind: "users", userIds: users([audience.value], 1) };
    case "groupId":
      if (!UUID.test(audience.value)) throw new TypeError("a group id that is none");
      return { kind: "group", groupId: audience.value };
    default:
      throw new TypeError("a log entry without an audience");
  }
}

function users(userIds: readonly string[], count: number): readonly string[] {
  if (userIds.length !== count || !userIds.every((userId) => UUID.test(userId)))
    throw new TypeError(`not ${count} users`);
  return userIds;
}
