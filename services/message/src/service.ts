import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Command, MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { MessageService } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { type CallContext, callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Appended } from "./core/append.ts";
import type { MessageSender } from "./core/writing.ts";
import type { MessageCore } from "./core.ts";

/** What clients may call. */
export const messageHandlers = (core: MessageCore): Handlers<typeof MessageService> => ({
  sendMessage: (request, context) => core.send(callerOf(context), request, context.traceparent),
  editMessage: (request, context) => core.edit(callerOf(context), request, context.traceparent),
  recallMessage: (request, context) => core.recall(callerOf(context), request, context.traceparent),
  react: (request, context) => core.react(callerOf(context), request, context.traceparent),
  removeReaction({ conversationId, recordId, emoji }, context) {
    const request = { conversationId, recordId, emoji, removed: true };
    return core.react(callerOf(context), request, context.traceparent);
  },
  async markRead(request, context) {
    await core.markRead(callerOf(context), request, context.traceparent);
    return {};
  },
  async setTyping(request, context) {
    await core.setTyping(callerOf(context), request, context.traceparent);
    return {};
  },
  async confirm(request, context) {
    await core.confirm(callerOf(context), request, context.traceparent);
    return {};
  },
  updateConversationSettings: (request, context) =>
    core.updateSettings(callerOf(context), request, context.traceparent),
});

/** What other services may call. */
export const messageMeshHandlers = (core: MessageCore, tracing: Tracing): Handlers<typeof MessageMeshService> => ({
  dispatch: (command, context) => dispatch(core, tracing, command, context),
  appendConversationRecord: (request, { traceparent }) => core.appendToConversation(request, traceparent),
  appendUserRecord: (request, { traceparent }) => core.appendToUser(request, traceparent),
  async getLimits() {
    const { textBytes, recordBytes, mentions, reactionKinds, editWindowMs, recallWindowMs } = core.limits;
    return {
      maxTextBytes: textBytes,
      maxRecordBytes: recordBytes,
      maxMentions: mentions,
      maxReactionKinds: reactionKinds,
      editWindow: durationFromMs(editWindowMs),
      recallWindow: durationFromMs(recallWindowMs),
    };
  },
});

type UserCommand = Exclude<Command["command"], { case: undefined }>;

/** The name of each command's span. */
const SPANS: Readonly<Record<UserCommand["case"], string>> = {
  sendMessage: "message.send",
  editMessage: "message.edit",
  recallMessage: "message.recall",
  react: "message.react",
  markRead: "message.mark_read",
  typing: "message.typing",
  confirm: "message.confirm",
  updateSettings: "message.update_settings",
};

async function dispatch(core: MessageCore, tracing: Tracing, item: Command, context: CallContext) {
  const { command, sender } = item;
  if (command.case === undefined) throw shared.unimplemented("this command is not known here");
  if (sender === undefined) throw shared.malformed("a command without a sender");
  const appended = await tracing.span(SPANS[command.case], context.traceparent, (traceparent) =>
    carryOut(core, command, sender, traceparent),
  );
  if (appended === undefined) return { result: { case: "done" as const, value: {} } };
  const { conversationId, recordId, seq, acceptedTime } = appended.record;
  const value = { conversationId, recordId, seq, acceptedTime, duplicate: appended.duplicate };
  return { result: { case: "accepted" as const, value } };
}

/** The record that the command has made, if it makes one that its sender is told of. Not async: nothing in the core throws at once. */
function carryOut(
  core: MessageCore,
  command: UserCommand,
  sender: MessageSender,
  traceparent: string,
): Promise<Appended | undefined> {
  switch (command.case) {
    case "sendMessage":
      return core.send(sender, command.value, traceparent);
    case "editMessage":
      return core.edit(sender, command.value, traceparent);
    case "recallMessage":
      return core.recall(sender, command.value, traceparent);
    case "react":
      return core.react(sender, command.value, traceparent);
    case "markRead":
      return unanswered(core.markRead(sender, command.value, traceparent));
    case "typing":
      return unanswered(core.setTyping(sender, command.value, traceparent));
    case "confirm":
      return unanswered(core.confirm(sender, command.value, traceparent));
    case "updateSettings":
      return core.updateSettings(sender, command.value, traceparent);
  }
}

const unanswered = (done: Promise<void>): Promise<undefined> => done.then(() => undefined);
