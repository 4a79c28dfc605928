import { fromBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Bus, ConsumeOptions, Consumption, Delivered, Outcome, StoredMessage } from "@oceanchat/runtime/bus-types";
import { unpackUuids } from "@oceanchat/runtime/packed-uuids";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Dispatch, Notice } from "./core/dispatch.ts";
import type { Sender } from "./core/send.ts";
import type { ProviderName } from "./ports.ts";

const ACK_WAIT_MS = 60_000;
/** Tasks that are decided at the same time. */
const DISPATCH_LANES = 16;
/** Notifications of one provider that are under way at the same time. */
const SEND_LANES = 64;
const stream = streamOf(OfflineTaskSchema);

/** Consumes what the orchestrator and the realtime pusher ask for: tell a user of a record. */
export function consumeTasks(bus: Bus, tracing: Tracing, dispatch: Dispatch): Promise<Consumption> {
  const what = {
    consumer: "pusher-offline",
    filter: stream.filterOf("user"),
    lanes: DISPATCH_LANES,
    maxInFlight: 256,
    laneOf: ({ subject }: StoredMessage) => subject,
  };
  return consume(bus, what, async (message) => {
    const notice = noticeOf(message);
    if (notice === undefined) return { dead: "not an OfflineTask" };
    await tracing.span("push.decide", message.traceparent, () => dispatch.handle(notice));
    return "ack";
  });
}

/**
 * Consumes what pusher-realtime asks for: tell a user after a while, unless he has come back. The tasks lie in the order in which
 * they are due, so each lane waits for its first alone.
 */
export function consumeLater(
  bus: Bus,
  tracing: Tracing,
  dispatch: Dispatch,
  { returnMs, now }: { readonly returnMs: number; readonly now: () => number },
): Promise<Consumption> {
  const what = {
    consumer: "pusher-offline-later",
    filter: stream.filterOf("later"),
    lanes: DISPATCH_LANES,
    maxInFlight: 256,
    laneOf: ({ subject }: StoredMessage) => subject,
  };
  return consume(bus, what, async (message) => {
    const leftMs = message.time.getTime() + returnMs - now();
    if (leftMs > 0) return { retryAfterMs: leftMs };
    const notice = noticeOf(message);
    if (notice === undefined) return { dead: "not an OfflineTask" };
    await tracing.span("push.decide", message.traceparent, () => dispatch.handle({ ...notice, unlessBack: true }));
    return "ack";
  });
}

/** Consumes one provider's queue; a slow provider holds up nobody else. */
export function consumeSends(bus: Bus, tracing: Tracing, provider: ProviderName, sender: Sender): Promise<Consumption> {
  const what = {
    consumer: `pusher-offline-${provider}`,
    filter: stream.filterOf("send", { provider }),
    lanes: SEND_LANES,
    maxInFlight: 4 * SEND_LANES,
    laneOf: ({ sequence }: StoredMessage) => sequence % SEND_LANES, // notifications have no order among them
  };
  return consume(bus, what, async (message) => {
    const task = decoded(message, SendTaskSchema);
    if (task === undefined) return { dead: "not a SendTask" };
    const result = await tracing.span(`push.send.${provider}`, message.traceparent, () =>
      sender.handle(task, message.attempts),
    );
    return result === "done" ? "ack" : result;
  });
}

/** Consumes one kind of message, one at a time in each lane. */
async function consume(
  bus: Bus,
  { filter, ...options }: Omit<ConsumeOptions, "stream" | "maxBatch" | "handle"> & { readonly filter: string },
  handle: (message: Delivered) => Promise<Outcome>,
): Promise<Consumption> {
  await bus.ensureConsumer(OfflineTaskSchema, {
    name: options.consumer,
    filterSubjects: [filter],
    ackWaitMs: ACK_WAIT_MS,
    maxAckPending: 1_000,
    maxDeliver: -1,
  });
  return bus.consume({
    ...options,
    stream: stream.name,
    maxBatch: 1,
    handle: (batch) => Promise.all(batch.map(handle)),
  });
}

/** Undefined for poison. */
function noticeOf(message: Delivered): Notice | undefined {
  const task = decoded(message, OfflineTaskSchema);
  if (task === undefined) return undefined;
  const { userId, packedUserIds, record } = task;
  try {
    const userIds = unpackUuids(packedUserIds);
    return { userIds: userId === "" ? userIds : [userId, ...userIds], record };
  } catch {
    return undefined; // not whole ids
  }
}

function decoded<D extends typeof OfflineTaskSchema | typeof SendTaskSchema>(message: Delivered, schema: D) {
  try {
    return fromBinary(schema, message.data);
  } catch {
    return undefined; // poison: the caller sends it to DEAD with the reason
  }
}
