import type {
  CommandResult,
  GetLimitsResponse,
  Sender,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { CommandResult as ResultOfPresence } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { CommandResult as ResultOfQuery } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import type { Uplink } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { ClientCommand } from "./core/packets.ts";

/** A command on its way to the service that carries it out. */
export interface Dispatch<C extends ClientCommand = ClientCommand> {
  readonly sender: Pick<Sender, "userId" | "sessionId" | "deviceId">;
  /** Where it came from. */
  readonly connection: Pick<Uplink, "connectionId" | "gatewayId" | "codec">;
  readonly command: C;
  /** What it is about: the same key goes to the same instance. */
  readonly key: string;
  /** Empty when not traced. */
  readonly traceparent: string;
}

/** What a service answers. */
export interface Result {
  readonly result: (CommandResult | ResultOfQuery | ResultOfPresence)["result"];
  /** What the gateway is asked to keep for the connection; absent: what it has. */
  readonly keep?: Uint8Array | undefined;
}

/** A service that carries out commands, as the router sees it. */
export interface CommandPort<C extends ClientCommand> {
  /** Rejects with the ServiceError that the service answered, or that says that it can't be reached. */
  dispatch(dispatch: Dispatch<C>): Promise<Result>;
}

/** Who knows what is accepted behind the router. */
export interface LimitsPort {
  /** Rejects with a ServiceError. */
  limits(): Promise<GetLimitsResponse>;
}
