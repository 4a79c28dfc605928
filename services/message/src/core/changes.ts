import { create } from "@bufbuild/protobuf";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { EditMessageRequest, RecallMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { EditBodySchema, RecallBodySchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { errors } from "../errors.ts";
import type { Draft } from "./append.ts";
import { checkContent } from "./content.ts";
import { uuidOf } from "./log.ts";
import type { Target } from "./targets.ts";
import {
  type MessageSender,
  permittedTarget,
  recordOf,
  settling,
  type TargetCommand,
  targetCommand,
  type WriteContext,
} from "./writing.ts";

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
  if (rejected) throw errors.sensitive();
  const record = recordOf(context, log, sender, userId);
  const ready = async () => {
    const target = await permittedTarget(context, command, checked.mentionsAll, traceparent);
    if (target.senderUserId !== userId) throw errors.notTheSender();
    if (isOver(context, target, windowMs)) throw errors.windowOver();
    record.body = { case: "edit", value: create(EditBodySchema, { targetSeq: target.seq, content, flags }) };
    return undefined;
  };
  return { log, messageId, record, ready: settling(ready()), traceparent };
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
  const record = recordOf(context, log, sender, userId);
  const ready = async () => {
    const target = await permittedTarget(context, command, false, traceparent);
    const own = target.senderUserId === userId;
    if (!own || isOver(context, target, windowMs)) {
      if (!(await isModerator(context, command, traceparent))) throw own ? errors.windowOver() : errors.notTheSender();
    }
    record.body = { case: "recall", value: create(RecallBodySchema, { targetSeq: target.seq }) };
    return undefined;
  };
  return { log, messageId: `${userId}:recall:${recordId}`, record, ready: settling(ready()), traceparent };
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
