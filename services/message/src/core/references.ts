import { create } from "@bufbuild/protobuf";
import {
  type ForwardedFrom,
  ForwardedFromSchema,
  type MessageBody,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { errors } from "../errors.ts";
import { isRecalled } from "./earlier.ts";
import { conversationLog, type DirectLog, type GroupLog } from "./log.ts";
import type { Target } from "./targets.ts";
import type { WriteContext } from "./writing.ts";

/** Who refers to other messages, and in which conversation. */
export interface Referrer {
  readonly log: GroupLog | DirectLog;
  readonly userId: string;
}

/** Whether a message answers or forwards another. */
export function refers({ replyToSeq, forwardedFrom }: MessageBody): boolean {
  return replyToSeq !== 0n || forwardedFrom !== undefined;
}

/**
 * Checks that what a message answers or forwards exists and that its sender may read it, and fills in who wrote what is forwarded. He
 * may write already. One reason for everything: whether something exists where one may not read isn't told.
 */
export async function checkReferences(
  context: WriteContext,
  { log, userId }: Referrer,
  message: MessageBody,
  traceparent: string,
): Promise<void> {
  const { replyToSeq, forwardedFrom } = message;
  if (replyToSeq !== 0n && (await readable(context, { log, userId }, replyToSeq, traceparent)) === undefined) {
    throw errors.referenceNotFound("reply_to_seq");
  }
  if (forwardedFrom === undefined) return;
  message.forwardedFrom = await origin(context, userId, forwardedFrom, traceparent);
}

async function origin(
  context: WriteContext,
  userId: string,
  { conversationId, seq }: ForwardedFrom,
  traceparent: string,
): Promise<ForwardedFrom> {
  const log = conversationLog(conversationId);
  const target = log === undefined ? undefined : await readable(context, { log, userId }, seq, traceparent);
  if (target === undefined || (await isRecalled(context, conversationId, seq))) {
    throw errors.referenceNotFound("forwarded_from");
  }
  return create(ForwardedFromSchema, { conversationId, seq, senderUserId: target.senderUserId });
}

/** The message at that place, if the user may read it. */
async function readable(
  { reading, targets }: WriteContext,
  { log, userId }: Referrer,
  seq: bigint,
  traceparent: string,
): Promise<Target | undefined> {
  return (await reading.mayRead(log, userId, seq, traceparent)) ? targets.at(log.id, seq) : undefined;
}
