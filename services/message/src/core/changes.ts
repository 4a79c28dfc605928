import { create } from "@bufbuild/protobuf";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { EditMessageRequest, RecallMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { EditBodySchema, RecallBodySchema, type Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { errors } from "../errors.ts";
import type { Draft } from "./append.ts";
import { checkContent } from "./content.ts";
import { findByKey } from "./earlier.ts";
import { uuidOf } from "./log.ts";
import type { Target } from "./targets.ts";
import {
  type MessageSender,
  permittedTarget,
  recordOf,
  type TargetCommand,
  targetCommand,
  type WriteContext,
} from "./writing.ts";

/** Whatever was appended about a message that is not older than this, the stream recognises: it knows ids for ten minutes. */
const SURELY_KNOWN_MS = 540_000;

/** Checks an edit. What has to be asked for is being asked when this returns. */
export function editDraft(
  context: WriteContext,
  windowMs: number,
  sender: MessageSender,
  request: EditMessageRequest,
  traceparent: string,
): Draft {
  const command = targetCommand(sender, request);
  const { log, userId } = command;
  const messageId = `${userId}:${uuidOf("client_message_id", request.clientMessageId)}`;
  const checked = checkContent(request.content, context.limits);
  const { content, flags, rejected } = context.moderation.check(checked.content, log);
  // A repeat of what was accepted under another list of words gets its answer.
  if (rejected && request.attempt <= 1) throw errors.sensitive();
  const record = recordOf(context, log, sender, userId);
  const editable = async () => {
    if (rejected) throw errors.sensitive();
    const target = await permittedTarget(context, command, checked.mentionsAll, traceparent);
    if (target.senderUserId !== userId) throw errors.notTheSender();
    if (isOver(context, target, windowMs)) throw errors.windowOver();
    return target;
  };
  // Who edited it before gets the same answer again, whether or not he may write now.
  const ready = async () => {
    const earlier = request.attempt > 1 ? await findByKey(context, { logId: log.id, messageId }) : undefined;
    const target = earlier === undefined ? await editable() : await context.targets.named(log.id, command.recordId);
    // Without one the body is another than the first: the key was used for another message.
    record.body = { case: "edit", value: create(EditBodySchema, { targetSeq: target?.seq ?? 0n, content, flags }) };
    return earlier;
  };
  return { log, messageId, record, ready: heardLater(ready()), traceparent };
}

/** Checks a recall. What has to be asked for is being asked when this returns. */
export function recallDraft(
  context: WriteContext,
  windowMs: number,
  sender: MessageSender,
  request: RecallMessageRequest,
  traceparent: string,
): Draft {
  const command = targetCommand(sender, request);
  const { log, userId, recordId } = command;
  const messageId = `${userId}:recall:${recordId}`;
  const record = recordOf(context, log, sender, userId);
  const ready = async () => {
    const earlier = await earlierRecall(context, command, messageId);
    if (earlier !== undefined) {
      record.body = earlier.body;
      return earlier;
    }
    const target = await permittedTarget(context, command, false, traceparent);
    const own = target.senderUserId === userId;
    if (!own || isOver(context, target, windowMs)) {
      if (!(await isModerator(context, command, traceparent))) throw own ? errors.windowOver() : errors.notTheSender();
    }
    record.body = { case: "recall", value: create(RecallBodySchema, { targetSeq: target.seq }) };
    return undefined;
  };
  return { log, messageId, record, ready: heardLater(ready()), traceparent };
}

/** A recall has no number of its try: whether there was one is asked whenever the stream may have forgotten it. */
async function earlierRecall(
  context: WriteContext,
  { log, recordId }: TargetCommand,
  messageId: string,
): Promise<Record | undefined> {
  const target = context.targets.remembered(log.id, recordId);
  if (target !== undefined && !isOver(context, target, SURELY_KNOWN_MS)) return undefined;
  const earlier = await findByKey(context, { logId: log.id, messageId });
  return earlier?.conversationId === log.id ? earlier : undefined;
}

function isOver({ clock }: WriteContext, { acceptedMs }: Target, windowMs: number): boolean {
  return clock.now() - acceptedMs >= windowMs;
}

const MODERATORS: ReadonlySet<GroupRole> = new Set([GroupRole.OWNER, GroupRole.ADMIN]);

async function isModerator(
  { permissions }: WriteContext,
  { log, userId }: TargetCommand,
  traceparent: string,
): Promise<boolean> {
  return log.kind === "group" && MODERATORS.has(await permissions.role(log, userId, traceparent));
}
