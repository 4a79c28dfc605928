import { create } from "@bufbuild/protobuf";
import type { AppendConversationRecordRequest } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { heardLater } from "@oceanchat/runtime/heard-later";
import type { Draft } from "./append.ts";
import { findByKey } from "./earlier.ts";
import { conversationLog, type DirectLog, type GroupLog, type Log, uuidOf } from "./log.ts";
import type { WriteContext } from "./writing.ts";

/** What another service asks to append, whatever the log. */
export type ServiceAppend = Pick<AppendConversationRecordRequest, "record" | "idempotencyKey" | "attempt">;

const OF_CONVERSATIONS: ReadonlySet<string | undefined> = new Set(["membership", "groupChange"]);
const OF_USERS: ReadonlySet<string | undefined> = new Set([
  "friendRequest",
  "friendship",
  "readCursor",
  "conversationSettings",
  "sessionRevoked",
]);

/** The conversation that a service names. */
export function namedConversation(conversationId: string): GroupLog | DirectLog {
  const log = conversationLog(conversationId);
  if (log === undefined) throw invalid("conversation_id", "must be the id of a conversation");
  return log;
}

/** Checks what a service wants to append. Its records need no permission; the services are trusted, not their arguments. */
export function serviceDraft(
  context: Pick<WriteContext, "stream" | "store" | "newId">,
  log: Log,
  request: ServiceAppend,
  traceparent: string,
): Draft {
  const { record: given, idempotencyKey, attempt } = request;
  const record = create(RecordSchema, { conversationId: log.id, recordId: context.newId() });
  record.body = serviceBody(log, given);
  record.senderUserId = log.kind === "user" ? log.userId : uuidOf("record.sender_user_id", given?.senderUserId ?? "");
  record.senderDeviceId = given?.senderDeviceId ?? "";
  const messageId = serviceMessageId(log, idempotencyKey);
  const ready = attempt > 1 ? findByKey(context, { logId: log.id, messageId }) : undefined;
  return { log, messageId, record, ready: heardLater(ready), traceparent };
}

/** What users do themselves has its own way in, with its own rules. */
function serviceBody(log: Log, record: Record | undefined): Record["body"] {
  const allowed = log.kind === "user" ? OF_USERS : OF_CONVERSATIONS;
  const body = record?.body;
  if (body === undefined || !allowed.has(body.case)) {
    throw invalid("record.body", `must be one of ${[...allowed].join(", ")}`);
  }
  return body;
}

/** Never the same as a user's, which begins with a UUID. */
function serviceMessageId({ id }: Log, idempotencyKey: string): string {
  if (!/^[!-~]{1,128}$/.test(idempotencyKey)) {
    throw invalid("idempotency_key", "must be 1 to 128 printable ASCII characters without spaces");
  }
  return `s:${id}:${idempotencyKey}`;
}

function invalid(field: string, description: string) {
  return shared.invalidFields([{ field, description }]);
}
