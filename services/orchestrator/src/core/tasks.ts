import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema, OnlineRecordSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Entry, Task } from "../ports.ts";
import { type Delivery, INLINE_BYTES } from "./plan.ts";

const TASK_BYTES = 512 * 1024;
const TARGETS_PER_RECORD = 4000;

/**
 * The tasks of one gateway, in order, none much larger than 512 KiB. A task is known by its first record and its content:
 * the same task published again is one task. A batch that comes again in another shape, or when somebody has connected
 * meanwhile, makes other tasks; a client that gets a record twice drops it by its seq.
 */
export function* onlineTasks(
  gatewayId: string,
  gatewayAddress: string,
  deliveries: readonly Delivery[],
): Generator<Task> {
  let part: Delivery[] = [];
  let bytes = 0;
  for (const delivery of deliveries.flatMap(inPieces)) {
    const size = sizeOf(delivery);
    if (part.length > 0 && bytes + size > TASK_BYTES) {
      yield onlineTask(gatewayId, gatewayAddress, part);
      part = [];
      bytes = 0;
    }
    part.push(delivery);
    bytes += size;
  }
  if (part.length > 0) yield onlineTask(gatewayId, gatewayAddress, part);
}

function onlineTask(gatewayId: string, gatewayAddress: string, deliveries: readonly Delivery[]): Task {
  const task = create(OnlineTaskSchema, { gatewayId, gatewayAddress });
  task.records = deliveries.map(({ online }) => online);
  const data = toBinary(OnlineTaskSchema, task);
  const first = deliveries[0]?.entry.record.recordId ?? "";
  const traceparent = deliveries.find(({ entry }) => entry.traceparent !== "")?.entry.traceparent ?? "";
  return { data, messageId: `${first}:${hash("sha1", data, "base64url")}`, traceparent };
}

/** A record for very many connections becomes several, each small enough for a task. */
function inPieces(delivery: Delivery): Delivery[] {
  const { record, targets, notify } = delivery.online;
  if (targets.length <= TARGETS_PER_RECORD) return [delivery];
  return Array.from({ length: Math.ceil(targets.length / TARGETS_PER_RECORD) }, (_, piece) => {
    const online = create(OnlineRecordSchema, { notify });
    if (record !== undefined) online.record = record;
    online.targets = targets.slice(piece * TARGETS_PER_RECORD, (piece + 1) * TARGETS_PER_RECORD);
    return { ...delivery, online };
  });
}

function sizeOf({ entry, online }: Delivery): number {
  const [first] = online.targets;
  const perTarget = first === undefined ? 0 : first.connectionId.length + first.userId.length + 10;
  return Math.min(entry.bytes, INLINE_BYTES) + online.targets.length * perTarget;
}

/** The tasks that tell users of one record. The record is encoded once: protobuf messages written one after another are one. */
export function* offlineTasks(
  { record, traceparent }: Entry,
  userIds: readonly string[],
): Generator<Task & { readonly userId: string }> {
  const common = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { record }));
  for (const userId of userIds) {
    const own = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { userId }));
    yield { userId, data: Buffer.concat([own, common]), messageId: `${record.recordId}:${userId}`, traceparent };
  }
}
