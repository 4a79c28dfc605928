import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { UpdateConversationSettingsRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import {
  type ConversationSettingsBody,
  ConversationSettingsBodySchema,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { errors } from "../errors.ts";
import type { Draft } from "./append.ts";
import { targetLog, userLog, uuidOf } from "./log.ts";
import { type MessageSender, recordOf, type WriteContext } from "./writing.ts";

/** The last second that JSON can write: 9999-12-31T23:59:59Z. */
const LAST_SECOND = 253_402_300_799n;
/** The first: 0001-01-01T00:00:00Z. */
const FIRST_SECOND = -62_135_596_800n;

/**
 * Checks new settings, which become a record of the user's own log. What has to be asked for is being asked when this returns.
 * They have no key: a repeat is another record that says the same.
 */
export function settingsDraft(
  context: WriteContext,
  sender: MessageSender,
  request: UpdateConversationSettingsRequest,
  traceparent: string,
): Draft {
  const userId = uuidOf("sender.user_id", sender.userId);
  const conversation = targetLog({ case: "conversationId", value: request.conversationId }, userId);
  const log = userLog(userId);
  const record = recordOf(context, log, sender, userId);
  record.body = { case: "conversationSettings", value: settingsBody(request, conversation.id, context.clock.now()) };
  const ready = async () => {
    if (!(await context.reading.isReader(conversation, userId, traceparent))) throw errors.notAMember();
    return undefined;
  };
  return { log, messageId: `${userId}:settings:${record.recordId}`, record, ready: heardLater(ready()), traceparent };
}

function settingsBody(
  { pinned, mutedUntil }: UpdateConversationSettingsRequest,
  conversationId: string,
  nowMs: number,
): ConversationSettingsBody {
  if (pinned === undefined && mutedUntil === undefined) {
    throw invalid("pinned", "one of pinned and muted_until is required");
  }
  const body = create(ConversationSettingsBodySchema, { conversationId });
  if (pinned !== undefined) body.pinned = pinned;
  if (mutedUntil !== undefined) body.mutedUntil = isOver(mutedUntil, nowMs) ? timestampFromMs(0) : mutedUntil;
  return body;
}

function isOver(time: Timestamp, nowMs: number): boolean {
  const { seconds, nanos } = time;
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos < 0 || nanos > 999_999_999) {
    throw invalid("muted_until", "must be a time from the year 1 to the year 9999");
  }
  return timestampMs(time) <= nowMs;
}

function invalid(field: string, description: string) {
  return shared.invalidFields([{ field, description }]);
}
