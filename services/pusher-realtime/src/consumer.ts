import { fromBinary } from "@bufbuild/protobuf";
import { OnlineRecordSchema, type OnlineTask, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { type Bus, type Consumption, type Delivered, type Outcome, PublishError } from "@oceanchat/runtime/bus-types";
import type { Host } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { bytesOf, everyBytesOf } from "@oceanchat/runtime/wire-bytes";
import { unpackTargets } from "./core/packed-targets.ts";
import type { PusherCore, PushTask } from "./core.ts";

/** The durable consumer's name. */
export const CONSUMER = "pusher-realtime";
/** Gateways written to at the same time. */
const LANES = 64;
const MAX_BATCH = 64;
/** Tasks have up to 600 KiB. */
const MAX_IN_FLIGHT = 256;
/** Over all processes. */
const MAX_ACK_PENDING = 4096;
const MAX_DELIVER = 5;

const RECORDS = OnlineTaskSchema.field.records.number;
const RECORD = OnlineRecordSchema.field.record.number;

/** Starts to push; the tasks of one gateway go one after another. */
export async function consumeTasks(
  bus: Bus,
  core: PusherCore,
  { tracing }: Pick<Host, "tracing">,
): Promise<Consumption> {
  const stream = streamOf(OnlineTaskSchema);
  await bus.ensureConsumer(OnlineTaskSchema, {
    name: CONSUMER,
    filterSubjects: [stream.filterOf("gateway")],
    ackWaitMs: 10_000,
    maxAckPending: MAX_ACK_PENDING,
    maxDeliver: MAX_DELIVER,
  });
  return bus.consume({
    stream: stream.name,
    consumer: CONSUMER,
    lanes: LANES,
    laneOf: ({ subject }) => subject,
    maxBatch: MAX_BATCH,
    maxInFlight: MAX_IN_FLIGHT,
    handle: (batch) => handleBatch(core, { tracing }, batch),
    // The core rejects when nobody can be told offline; anything else is a defect that this task brings out each time.
    poison: (_message, error) => (error instanceof PublishError ? undefined : String(error)),
    retryDelayMs: (failures) => Math.min(100 * 2 ** (failures - 1), 2000) * (0.5 + Math.random() / 2),
  });
}

/** Pushes a batch of one gateway and says what became of each task. */
export async function handleBatch(
  core: PusherCore,
  { tracing }: Pick<Host, "tracing">,
  batch: readonly Delivered[],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = batch.map(() => "ack");
  const tasks: PushTask[] = [];
  for (const [index, message] of batch.entries()) {
    try {
      tasks.push({ ...taskOf(message.data), again: message.deliveries > 1 });
    } catch (error) {
      outcomes[index] = { dead: error instanceof Error ? error.message : String(error) };
    }
  }
  if (tasks.length > 0) {
    const traced = batch.find(({ traceparent }) => traceparent !== "")?.traceparent ?? "";
    await tracing.span("pusher.push", traced, (traceparent) => core.push(tasks, traceparent), { tasks: tasks.length });
  }
  return outcomes;
}

function taskOf(data: Uint8Array): PushTask {
  const task = decode(data);
  if (task.gatewayAddress === "") throw new TypeError("a task without an address");
  if (task.records.some(({ record }) => record === undefined)) throw new TypeError("a task without a record");
  const { gatewayAddress } = task;
  const records = task.records.map(({ record, targets, packedTargets, notify }) => {
    const packed = unpackTargets(packedTargets);
    return { record, notify, targets: targets.length === 0 ? packed : [...targets, ...packed] };
  });
  return { gatewayAddress, records, encoded: everyBytesOf(data, RECORDS).map((record) => bytesOf(record, RECORD)) };
}

function decode(data: Uint8Array): OnlineTask {
  try {
    return fromBinary(OnlineTaskSchema, data);
  } catch (cause) {
    throw new Error("not an online task", { cause });
  }
}
