import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { Values } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import type { routerKeys } from "./config.ts";
import type { MessagePort } from "./ports.ts";

/** Reaches message over one stream per instance. What is unanswered when a stream breaks is sent again: the log drops repeats. */
export async function openMessage(host: Host, config: Values<typeof routerKeys>): Promise<MessagePort> {
  const calls = await host.calls(MessageMeshService.method.dispatch, config.message, {
    resend: true,
    timeoutMs: config.dispatchTimeoutMs,
    maxInFlight: config.maxInFlight,
  });
  return {
    dispatch: ({ sender, command, conversationId, traceparent }) =>
      calls.call({ sender, command, traceparent }, { key: conversationId }),
  };
}
