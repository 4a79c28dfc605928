import { fromBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Bus, Consumption, Delivered, Outcome } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Dispatch } from "./core/dispatch.ts";
import type { Sender } from "./core/send.ts";
import type { ProviderName } from "./ports.ts";

const ACK_WAIT_MS = 60_000;
/** Users whose tasks are decided at the same time. */
const DISPATCH_LANES = 16;
/** Notifications of one provider that are under way at the same time. */
const SEND_LANES = 64;
const stream = streamOf(OfflineTaskSchema);

/** Consumes what the orchestrator and the realtime pusher ask for: tell a user of a record. */
export async function consumeTasks(bus: Bus, tracing: Tracing, dispatch: Dispatch): Promise<Consumption> {
  const consumer = "pusher-offline";
  const filterSubjects = [stream.filterOf("user")];
  await bus.ensureConsumer(OfflineTaskSchema, {
    name: consumer,
    filterSubjects,
    ackWaitMs: ACK_WAIT_MS,
    maxAckPending: 1_000,
    maxDeliver: -1,
  });
  return bus.consume({
    stream: stream.name,
    consumer,
    lanes: DISPATCH_LANES,
    laneOf: ({ subject }) => subject,
    maxBatch: 1,
    maxInFlight: 256,
    handle: (batch) =>
      each(batch, async (message) => {
        const task = decoded(message, OfflineTaskSchema);
        if (task === undefined) return { dead: "not an OfflineTask" };
        await tracing.span("push.decide", message.traceparent, () => dispatch.handle(task));
        return "ack";
      }),
  });
}

/** Consumes one provider's queue; a slow provider holds up nobody else. */
export async function consumeSends(
  bus: Bus,
  tracing: Tracing,
  provider: ProviderName,
  sender: Sender,
): Promise<Consumption> {
  const consumer = `pusher-offline-${provider}`;
  const filterSubjects = [stream.filterOf("send", { provider })];
  await bus.ensureConsumer(OfflineTaskSchema, {
    name: consumer,
    filterSubjects,
    ackWaitMs: ACK_WAIT_MS,
    maxAckPending: 1_000,
    maxDeliver: -1,
  });
  return bus.consume({
    stream: stream.name,
    consumer,
    lanes: SEND_LANES,
    laneOf: ({ sequence }) => sequence % SEND_LANES, // notifications have no order among them
    maxBatch: 1,
    maxInFlight: 4 * SEND_LANES,
    handle: (batch) =>
      each(batch, async (message) => {
        const task = decoded(message, SendTaskSchema);
        if (task === undefined) return { dead: "not a SendTask" };
        const result = await tracing.span(`push.send.${provider}`, message.traceparent, () =>
          sender.handle(task, message.attempts),
        );
        return result === "done" ? "ack" : result;
      }),
  });
}

async function each(batch: readonly Delivered[], handle: (message: Delivered) => Promise<Outcome>): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const message of batch) outcomes.push(await handle(message));
  return outcomes;
}

function decoded<D extends typeof OfflineTaskSchema | typeof SendTaskSchema>(message: Delivered, schema: D) {
  try {
    return fromBinary(schema, message.data);
  } catch {
    return undefined; // poison: the caller sends it to DEAD with the reason
  }
}
