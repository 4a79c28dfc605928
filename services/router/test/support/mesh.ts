import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { QueryMeshService } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import type { Calls } from "@oceanchat/runtime/calls";
import { type Handlers, implement } from "@oceanchat/runtime/handlers";
import type { MeshDoor } from "@oceanchat/runtime/mesh-door";
import type { Peers } from "@oceanchat/runtime/peers";
import { openTestDoor, startService } from "@oceanchat/runtime/testing";
import { start } from "../../src/main.ts";

export type Dispatch = NonNullable<Handlers<typeof MessageMeshService>["dispatch"]>;

/** A message service that answers commands as told. */
export function openFakeMessage(dispatch: Dispatch | undefined, port = 0): Promise<MeshDoor> {
  const getLimits = () => ({ maxTextBytes: 4096, maxMentions: 7 });
  return openTestDoor([implement(MessageMeshService, dispatch === undefined ? {} : { dispatch, getLimits })], port);
}

type QueryDispatch = NonNullable<Handlers<typeof QueryMeshService>["dispatch"]>;

/** A query service that answers commands as told. */
export const openFakeQuery = (dispatch: QueryDispatch): Promise<MeshDoor> =>
  openTestDoor([implement(QueryMeshService, { dispatch })]);

type PresenceDispatch = NonNullable<Handlers<typeof PresenceMeshService>["dispatch"]>;

/** A presence service that answers commands as told. */
export const openFakePresence = (dispatch: PresenceDispatch): Promise<MeshDoor> =>
  openTestDoor([implement(PresenceMeshService, { dispatch })]);

export interface RunningRouter {
  readonly calls: Calls<typeof RouterMeshService.method.exchange>;
  readonly peers: Peers<typeof RouterMeshService>;
  readonly meshPort: number;
  /** Calls as gateways make them: what is unanswered when the stream breaks is sent again. */
  gatewayAt(port: number): Promise<Calls<typeof RouterMeshService.method.exchange>>;
  stop(): Promise<void>;
}

/** The real router, and a gateway's calls to it. */
export async function startRouter(
  messagePorts: readonly number[],
  env: Record<string, string> = {},
): Promise<RunningRouter> {
  const { host, mesh, served } = await startService("router", start, {
    OCEANCHAT_GRACE_MS: "500",
    OCEANCHAT_MESSAGE_ADDRESSES: messagePorts.map((port) => `127.0.0.1:${port}`).join(","),
    OCEANCHAT_QUERY_ADDRESSES: "127.0.0.1:1",
    OCEANCHAT_PRESENCE_ADDRESSES: "127.0.0.1:1",
    ...env,
  });
  const calls = await host.calls(RouterMeshService.method.exchange, mesh, { timeoutMs: 8_000 });
  const peers = await host.peers(RouterMeshService, mesh, { timeoutMs: 3_000 });
  return {
    calls,
    peers,
    meshPort: served.meshPort,
    gatewayAt: (port) =>
      host.calls(RouterMeshService.method.exchange, parseAddresses(`127.0.0.1:${port}`), {
        resend: true,
        timeoutMs: 8_000,
      }),
    stop: () => host.stop(),
  };
}
