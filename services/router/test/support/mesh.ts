import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import { type Calls, connectCalls } from "@oceanchat/runtime/calls";
import { type Handlers, implement } from "@oceanchat/runtime/handlers";
import { createHost } from "@oceanchat/runtime/host";
import { type MeshDoor, openMeshDoor } from "@oceanchat/runtime/mesh-door";
import { readProcessConfig } from "@oceanchat/runtime/process-config";
import { noTracing } from "@oceanchat/runtime/trace";
import { pino } from "pino";
import { start } from "../../src/main.ts";

const log = pino({ level: "silent" });
const host = "127.0.0.1";

export type Dispatch = NonNullable<Handlers<typeof MessageMeshService>["dispatch"]>;

/** A message service that answers commands as told. */
export async function openFakeMessage(dispatch: Dispatch | undefined, port = 0): Promise<MeshDoor> {
  const handlers: Handlers<typeof MessageMeshService> = dispatch === undefined ? {} : { dispatch };
  const door = await openMeshDoor({ host, port, registrations: [implement(MessageMeshService, handlers)], log });
  door.setServing(true);
  return door;
}

export interface RunningRouter {
  readonly calls: Calls<typeof RouterMeshService.method.exchange>;
  stop(): Promise<void>;
}

/** The real router, and a gateway's calls to it. */
export async function startRouter(messagePorts: readonly number[], env: Record<string, string> = {}) {
  const full = {
    OCEANCHAT_LISTEN_HOST: host,
    OCEANCHAT_MESH_PORT: "0",
    OCEANCHAT_GRACE_MS: "500",
    OCEANCHAT_MESSAGE_ADDRESSES: messagePorts.map((port) => `${host}:${port}`).join(","),
    ...env,
  };
  const fatal: unknown[] = [];
  const running = createHost({
    service: "router",
    env: full,
    config: readProcessConfig(full),
    log,
    tracing: noTracing,
    onFatal: (error) => fatal.push(error),
  });
  const served: number[] = [];
  await start({
    ...running,
    serve: async (doors) => {
      const result = await running.serve(doors);
      served.push(result.meshPort);
      return result;
    },
  });
  const source = parseAddresses(`${host}:${served[0]}`);
  if (source.kind !== "static") throw new TypeError("not a static address");
  const addresses = { current: () => source.addresses, close: () => undefined };
  const calls = connectCalls({ method: RouterMeshService.method.exchange, addresses, log, timeoutMs: 8_000 });
  return {
    calls,
    stop: async () => {
      calls.close();
      await running.stop();
      if (fatal.length > 0) throw fatal[0];
    },
  } satisfies RunningRouter;
}
