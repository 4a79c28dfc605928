import { create } from "@bufbuild/protobuf";
import type { SendMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import {
  ForwardedFromSchema,
  type MessageBody,
  MessageBodySchema,
  type Record,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { errors } from "../errors.ts";
import type { Draft } from "./append.ts";
import { checkContent } from "./content.ts";
import { findEarlier, type MessageKey } from "./earlier.ts";
import { targetLog, uuidOf } from "./log.ts";
import { checkReferences, type Referrer, refers } from "./references.ts";
import { type MessageSender, recordOf, type WriteContext } from "./writing.ts";

/** Checks what a user says. What has to be asked for is being asked when this returns. */
export function messageDraft(
  context: WriteContext,
  sender: MessageSender,
  request: SendMessageRequest,
  traceparent: string,
): Draft {
  const senderUserId = uuidOf("sender.user_id", sender.userId);
  const clientMessageId = uuidOf("client_message_id", request.clientMessageId);
  const log = targetLog(request.target, senderUserId);
  const checked = checkContent(request.content, context.limits);
  const { mentions, mentionsAll } = checked;
  const { content, flags, rejected } = context.moderation.check(checked.content, log);
  // A repeat of what was accepted under another list of words gets its answer.
  if (rejected && request.attempt <= 1) throw errors.sensitive();
  const message = create(MessageBodySchema, { clientMessageId, content, mentions, mentionsAll, flags });
  message.replyToSeq = request.replyToSeq;
  if (request.forwardedFrom !== undefined) message.forwardedFrom = request.forwardedFrom;
  const record = recordOf(context, log, sender, senderUserId);
  record.body = { case: "message", value: message };
  const messageId = `${senderUserId}:${clientMessageId}`;
  const permit = () => {
    if (rejected) throw errors.sensitive();
    if (!refers(message)) return context.permissions.check(log, senderUserId, mentionsAll, traceparent);
    return permitReferring(context, { log, userId: senderUserId }, message, traceparent);
  };
  const key = { logId: log.id, messageId, senderUserId, clientMessageId };
  const ready = request.attempt > 1 ? earlierOrPermit(context, key, message, permit) : permit();
  const appended = (durable: Record) => void context.targets.note(durable);
  return { log, messageId, record, ready: heardLater(ready), appended, traceparent };
}

/** Whether the user may write is known before anything that the message refers to is looked at. */
async function permitReferring(
  context: WriteContext,
  referrer: Referrer,
  message: MessageBody,
  traceparent: string,
): Promise<undefined> {
  const { log, userId } = referrer;
  if (message.replyToSeq !== 0n) context.reading.prepare(log, userId, traceparent);
  await context.permissions.check(log, userId, message.mentionsAll, traceparent);
  await checkReferences(context, referrer, message, traceparent);
}

/** Who sent it before gets the same answer again, whether or not he may write now. */
async function earlierOrPermit(
  context: WriteContext,
  key: MessageKey,
  message: MessageBody,
  permit: () => Promise<undefined> | undefined,
): Promise<Record | undefined> {
  const earlier = await findEarlier(context, key);
  if (earlier === undefined) await permit();
  else takeOrigin(message, earlier);
  return earlier;
}

/** Who wrote what is forwarded isn't the caller's to say: a repeat need not say the same. */
function takeOrigin(message: MessageBody, { body }: Record): void {
  const stored = body.case === "message" ? body.value.forwardedFrom : undefined;
  if (stored === undefined || message.forwardedFrom === undefined) return;
  const { senderUserId } = stored;
  message.forwardedFrom = create(ForwardedFromSchema, { ...message.forwardedFrom, senderUserId });
}
