import { type DescMessage, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { DeadLetter } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { OfflineTaskSchema, OnlineTaskSchema, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { streamOf } from "@oceanchat/runtime/streams";

/** What a letter holds: a message of its stream, or bytes that are none. */
export type Payload =
  | { readonly type: string; readonly value: JsonValue }
  | { readonly type: "bytes"; readonly base64: string; readonly why: string };

/** Decodes what a letter holds, by the stream and subject that it came from. */
export function payloadOf({ stream, subject, payload }: DeadLetter): Payload {
  const base64 = Buffer.from(payload).toString("base64");
  const type = typeOf(stream, subject);
  if (type === undefined) return { type: "bytes", base64, why: "what this stream holds is not known here" };
  if (payload.length === 0) return { type: "bytes", base64, why: "there is no payload" };
  try {
    return { type: type.typeName, value: toJson(type, fromBinary(type, payload)) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { type: "bytes", base64, why: `not a ${type.typeName}: ${why}` };
  }
}

function typeOf(stream: string, subject: string): DescMessage | undefined {
  const offline = streamOf(OfflineTaskSchema);
  if (stream === streamOf(LogEntrySchema).name) return LogEntrySchema;
  if (stream === streamOf(OnlineTaskSchema).name) return OnlineTaskSchema;
  if (stream !== offline.name) return undefined;
  return offline.parse(subject)?.name === "send" ? SendTaskSchema : OfflineTaskSchema;
}
