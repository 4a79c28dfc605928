import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { QueryMeshService } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import type { Values } from "@oceanchat/runtime/config";
import type { Host } from "@oceanchat/runtime/host";
import type { routerKeys } from "./config.ts";
import type { MessageCommand, PresenceCommand, QueryCommand } from "./core/commands.ts";
import type { CommandPort, LimitsPort } from "./ports.ts";

/** Gateways ask in the background. */
const LIMITS_MS = 2_000;

/** Reaches message over one stream per instance. What is unanswered when a stream breaks is sent again: the log drops repeats. */
export async function openMessage(
  host: Host,
  config: Values<typeof routerKeys>,
): Promise<CommandPort<MessageCommand> & LimitsPort> {
  const calls = await host.calls(MessageMeshService.method.dispatch, config.message, {
    resend: true,
    timeoutMs: config.dispatchTimeoutMs,
    maxInFlight: config.maxInFlight,
  });
  const { call } = await host.peers(MessageMeshService, config.message, { timeoutMs: LIMITS_MS });
  return {
    limits: () => call.getLimits({}),
    dispatch: ({ sender, command, key, traceparent }) => calls.call({ sender, command, traceparent }, { key }),
  };
}

/** Reaches query in the same way. What it is asked changes nothing, so it may be asked again. */
export async function openQuery(host: Host, config: Values<typeof routerKeys>): Promise<CommandPort<QueryCommand>> {
  const calls = await host.calls(QueryMeshService.method.dispatch, config.query, {
    resend: true,
    timeoutMs: config.dispatchTimeoutMs,
    maxInFlight: config.maxInFlight,
  });
  return {
    dispatch: ({ sender, command, key, traceparent }) => calls.call({ ...sender, command, traceparent }, { key }),
  };
}

/** Reaches presence in the same way. A subscription or a status that is set twice is the same one. */
export async function openPresence(
  host: Host,
  config: Values<typeof routerKeys>,
): Promise<CommandPort<PresenceCommand>> {
  const calls = await host.calls(PresenceMeshService.method.dispatch, config.presence, {
    resend: true,
    timeoutMs: config.dispatchTimeoutMs,
    maxInFlight: config.maxInFlight,
  });
  return {
    dispatch: ({ sender, connection, command, key, traceparent }) =>
      calls.call({ ...sender, ...connection, command, traceparent }, { key }),
  };
}
