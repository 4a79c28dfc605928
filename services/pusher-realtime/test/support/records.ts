import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type OnlineTask,
  OnlineTaskSchema,
  type Target,
  TargetSchema,
} from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Addressed } from "../../src/core/frames.ts";

type RecordInit = Exclude<MessageInitShape<typeof RecordSchema>, { $typeName: string }>;

/** A message of Alice's phone in conversation c. */
export function message(seq: number, text = `text ${seq}`, init: RecordInit = {}): Record {
  return create(RecordSchema, {
    conversationId: "c",
    seq: BigInt(seq),
    recordId: `record-${seq}`,
    senderUserId: "alice",
    senderDeviceId: "phone",
    acceptedTime: timestampFromMs(1_700_000_000_123),
    body: { case: "message", value: { content: { kind: { case: "text", value: { text } } } } },
    ...init,
  });
}

/** A record that travels without its body. */
export const reference = (seq: number, init: RecordInit = {}): Record =>
  message(seq, "", { body: { case: undefined }, ...init });

/** `bob/1` is a connection of Bob's; `bob/1/json` one that speaks JSON. */
export function target(name: string): Target {
  const [userId = "", , codec] = name.split("/");
  return create(TargetSchema, { connectionId: name, userId, codec: codec === "json" ? Codec.JSON : Codec.BINARY });
}

export function addressed(record: Record, connections: readonly string[], notify = true): Addressed {
  return { record, targets: connections.map(target), notify };
}

export function task(records: readonly Addressed[], gatewayAddress = "gw1:1"): OnlineTask {
  const gatewayId = gatewayAddress.split(":")[0] ?? "";
  return create(OnlineTaskSchema, {
    gatewayId,
    gatewayAddress,
    records: records.map(({ record, targets, notify }) => ({ record, targets: [...targets], notify })),
  });
}
