import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { OnlineRecordSchema, OnlineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import type { Task } from "../ports.ts";
import type { Located } from "./known-users.ts";
import type { Delivery } from "./plan.ts";

const TASK_BYTES = 512 * 1024;
const TARGETS_PER_RECORD = 4000;
const RECORDS = OnlineTaskSchema.field.records.number;
const { record: RECORD, targets: TARGETS, notify: NOTIFY, packedTargets: PACKED } = OnlineRecordSchema.field;

/**
 * The tasks of one gateway, in order, none much larger than 512 KiB. A task is known by its first record and its content:
 * the same task published again is one task. Batches that come again in another shape or company, or when somebody has
 * connected meanwhile, make other tasks; a client that gets a record twice drops it by its seq.
 */
export function* onlineTasks(
  gatewayId: string,
  gatewayAddress: string,
  deliveries: readonly Delivery[],
): Generator<Task> {
  const head = toBinary(OnlineTaskSchema, create(OnlineTaskSchema, { gatewayId, gatewayAddress }));
  let part: Delivery[] = [];
  let bytes = 0;
  for (const delivery of deliveries.flatMap(inPieces)) {
    const size = sizeOf(delivery);
    if (part.length > 0 && bytes + size > TASK_BYTES) {
      yield onlineTask(head, part);
      part = [];
      bytes = 0;
    }
    part.push(delivery);
    bytes += size;
  }
  if (part.length > 0) yield onlineTask(head, part);
}

/** Records and connections are put in as they were encoded before. */
function onlineTask(head: Uint8Array, deliveries: readonly Delivery[]): Task {
  const writer = new BinaryWriter().raw(head);
  for (const { record, connections, notify } of deliveries) {
    writer.tag(RECORDS, WireType.LengthDelimited).fork();
    writer.tag(RECORD.number, WireType.LengthDelimited).bytes(record);
    writeTargets(writer, connections);
    if (notify) writer.tag(NOTIFY.number, WireType.Varint).bool(true);
    writer.join();
  }
  const data = writer.finish();
  const first = deliveries[0]?.entry.record.recordId ?? "";
  const traceparent = deliveries.find(({ entry }) => entry.traceparent !== "")?.entry.traceparent ?? "";
  return { data, messageId: `${first}:${hash("sha1", data, "base64url")}`, traceparent };
}

function writeTargets(writer: BinaryWriter, connections: readonly Located[]): void {
  const packed: Uint8Array[] = [];
  for (const { target, isPacked } of connections) {
    if (isPacked) packed.push(target);
    else writer.tag(TARGETS.number, WireType.LengthDelimited).bytes(target);
  }
  if (packed.length > 0) writer.tag(PACKED.number, WireType.LengthDelimited).bytes(Buffer.concat(packed));
}

/** A record for very many connections becomes several, each small enough for a task. */
function inPieces(delivery: Delivery): Delivery[] {
  const { connections } = delivery;
  if (connections.length <= TARGETS_PER_RECORD) return [delivery];
  return Array.from({ length: Math.ceil(connections.length / TARGETS_PER_RECORD) }, (_, piece) => ({
    ...delivery,
    connections: connections.slice(piece * TARGETS_PER_RECORD, (piece + 1) * TARGETS_PER_RECORD),
  }));
}

function sizeOf({ record, connections }: Delivery): number {
  return record.length + connections.length * ((connections[0]?.target.length ?? 0) + 2);
}
