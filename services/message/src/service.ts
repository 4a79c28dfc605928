import type { Command, MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { MessageService } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { type CallContext, callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { MessageCore } from "./core.ts";

/** What clients may call. */
export const messageHandlers = (core: MessageCore): Handlers<typeof MessageService> => ({
  sendMessage: (request, context) => core.send(callerOf(context), request, context.traceparent),
});

/** What other services may call. */
export const messageMeshHandlers = (core: MessageCore, tracing: Tracing): Handlers<typeof MessageMeshService> => ({
  dispatch: (command, context) => dispatch(core, tracing, command, context),
  appendConversationRecord: (request, { traceparent }) => core.appendToConversation(request, traceparent),
  appendUserRecord: (request, { traceparent }) => core.appendToUser(request, traceparent),
});

async function dispatch(core: MessageCore, tracing: Tracing, item: Command, context: CallContext) {
  const { command, sender } = item;
  if (command.case !== "sendMessage") {
    throw shared.unimplemented(`the command ${command.case ?? "without a name"} is not implemented`);
  }
  if (sender === undefined) throw shared.malformed("a command without a sender");
  const { record, duplicate } = await tracing.span("message.send", context.traceparent, (traceparent) =>
    core.send(sender, command.value, traceparent),
  );
  const { conversationId, recordId, seq, acceptedTime } = record;
  return {
    result: { case: "accepted" as const, value: { conversationId, recordId, seq, acceptedTime, duplicate } },
  };
}
