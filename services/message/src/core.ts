import { create } from "@bufbuild/protobuf";
import type {
  AppendConversationRecordRequest,
  AppendUserRecordRequest,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { SendMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { MessageBodySchema, type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { type Appended, Appender, type Draft } from "./core/append.ts";
import { checkContent } from "./core/content.ts";
import { findEarlier, type MessageKey } from "./core/earlier.ts";
import { targetLog, userLog, uuidOf } from "./core/log.ts";
import { Permissions } from "./core/permissions.ts";
import { namedConversation, serviceDraft } from "./core/service-record.ts";
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
  // Whatever is wrong with a request is a rejection, hence async; drafts join their queue before the first await.
  return {
    send: async (sender, request, traceparent) =>
      appender.append(messageDraft(ports, permissions, sender, request, traceparent)),
    appendToConversation: async (request, traceparent) =>
      appender.append(serviceDraft(namedConversation(request.conversationId), request, newId(), traceparent)),
    appendToUser: async (request, traceparent) =>
      appender.append(serviceDraft(userLog(uuidOf("user_id", request.userId)), request, newId(), traceparent)),
  };
}

/** Checks what a user says. What has to be asked for is being asked when this returns. */
function messageDraft(
  ports: MessagePorts,
  permissions: Permissions,
  sender: MessageSender,
  request: SendMessageRequest,
  traceparent: string,
): Draft {
  const senderUserId = uuidOf("sender.user_id", sender.userId);
  const clientMessageId = uuidOf("client_message_id", request.clientMessageId);
  const log = targetLog(request.target, senderUserId);
  const { content, mentions, mentionsAll } = checkContent(request.content);
  const message = create(MessageBodySchema, { clientMessageId, content, mentions, mentionsAll });
  message.replyToSeq = request.replyToSeq;
  message.forwardedFrom = request.forwardedFrom;
  const record = create(RecordSchema, { conversationId: log.id, recordId: ports.newId(), senderUserId });
  record.senderDeviceId = sender.deviceId;
  record.body = { case: "message", value: message };
  const messageId = `${senderUserId}:${clientMessageId}`;
  const permit = () => permissions.check(log, senderUserId, mentionsAll, traceparent);
  const key = { logId: log.id, messageId, senderUserId, clientMessageId };
  const ready = request.attempt > 1 ? earlierOrPermit(ports, key, permit) : permit();
  // It is awaited only when its turn comes, which may be after it failed.
  ready?.catch(() => undefined);
  return { log, messageId, record, ready, traceparent };
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
