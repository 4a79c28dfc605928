import { create } from "@bufbuild/protobuf";
import type {
  AppendConversationRecordRequest,
  AppendUserRecordRequest,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { SendMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { MessageBodySchema, type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { type Appended, Appender } from "./core/append.ts";
import { checkContent } from "./core/content.ts";
import { findEarlier, type MessageKey } from "./core/earlier.ts";
import { conversationLog, type Log, targetLog, userLog, uuidOf } from "./core/log.ts";
import { Permissions } from "./core/permissions.ts";
import type { Clock, LogStream, PermissionPeers, RecordStore } from "./ports.ts";

/** What the core needs. */
export interface MessagePorts {
  readonly stream: LogStream;
  readonly store: RecordStore;
  readonly peers: PermissionPeers;
  readonly clock: Clock;
  /** Makes a UUIDv7. */
  newId(): string;
}

/** What an installation may set. */
export interface MessageSettings {
  /** How long an append may take in all, in milliseconds. */
  readonly appendMs: number;
  /** The largest record, in bytes. */
  readonly recordBytes: number;
}

/** Who sends, as it was verified. */
export interface MessageSender {
  readonly userId: string;
  readonly deviceId: string;
}

/** The rules of writing to logs. */
export interface MessageCore {
  /** Says something in a conversation. */
  send(sender: MessageSender, request: SendMessageRequest, traceparent: string): Promise<Appended>;
  /** Appends another service's record to a conversation. */
  appendToConversation(request: AppendConversationRecordRequest, traceparent: string): Promise<Appended>;
  /** Appends another service's record to a user's own log. */
  appendToUser(request: AppendUserRecordRequest, traceparent: string): Promise<Appended>;
}

const ANSWER_MS = 2000;
const ALLOW_MS = 1000;

/** Makes the core. */
export function createMessageCore(ports: MessagePorts, { appendMs, recordBytes }: MessageSettings): MessageCore {
  const { stream, store, peers, clock, newId } = ports;
  const permissions = new Permissions(peers, clock, { allowMs: ALLOW_MS, remembered: 10_000, asking: 10_000 });
  const appender = new Appender(stream, store, clock, {
    deadlineMs: appendMs,
    answerMs: ANSWER_MS,
    conflicts: 20,
    perLog: 256,
    total: 10_000,
    heads: 50_000,
    recordBytes,
  });
  const appendForService = (log: Log, { record, idempotencyKey }: ServiceAppend, traceparent: string) => {
    const body = serviceBody(log, record);
    const senderUserId = log.kind === "user" ? log.userId : uuidOf("record.sender_user_id", record?.senderUserId ?? "");
    const draft = { recordId: newId(), conversationId: log.id, senderUserId, body };
    return appender.append({
      log,
      messageId: serviceMessageId(log, idempotencyKey),
      record: create(RecordSchema, { ...draft, senderDeviceId: record?.senderDeviceId ?? "" }),
      ready: undefined,
      traceparent,
    });
  };
  return {
    async send(sender, request, traceparent) {
      const senderUserId = uuidOf("sender.user_id", sender.userId);
      const clientMessageId = uuidOf("client_message_id", request.clientMessageId);
      const log = targetLog(request.target, senderUserId);
      const { content, mentions, mentionsAll } = checkContent(request.content);
      const messageId = `${senderUserId}:${clientMessageId}`;
      const permit = () => permissions.check(log, senderUserId, mentionsAll, traceparent);
      const key = { logId: log.id, messageId, senderUserId, clientMessageId };
      const ready = request.attempt > 1 ? earlierOrPermit(ports, key, permit) : permit();
      // It is awaited only when its turn comes, which may be after it failed.
      ready?.catch(() => undefined);
      const message = create(MessageBodySchema, { clientMessageId, content, mentions, mentionsAll });
      message.replyToSeq = request.replyToSeq;
      message.forwardedFrom = request.forwardedFrom;
      const record = create(RecordSchema, { conversationId: log.id, recordId: newId(), senderUserId });
      record.senderDeviceId = sender.deviceId;
      record.body = { case: "message", value: message };
      return appender.append({ log, messageId, record, ready, traceparent });
    },
    async appendToConversation(request, traceparent) {
      const log = conversationLog(request.conversationId);
      if (log === undefined) throw invalid("conversation_id", "must be the id of a conversation");
      return appendForService(log, request, traceparent);
    },
    async appendToUser(request, traceparent) {
      return appendForService(userLog(uuidOf("user_id", request.userId)), request, traceparent);
    },
  };
}

/** Who sent it before gets the same answer again, whether or not he may write now. */
async function earlierOrPermit(
  { stream, store }: MessagePorts,
  key: MessageKey,
  permit: () => Promise<undefined> | undefined,
): Promise<Record | undefined> {
  const earlier = await findEarlier(stream, store, key);
  if (earlier === undefined) await permit();
  return earlier;
}

type ServiceAppend = Pick<AppendConversationRecordRequest, "record" | "idempotencyKey">;

const OF_CONVERSATIONS: ReadonlySet<string | undefined> = new Set(["membership", "groupChange"]);
const OF_USERS: ReadonlySet<string | undefined> = new Set([
  "friendRequest",
  "friendship",
  "readCursor",
  "conversationSettings",
  "sessionRevoked",
]);

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
