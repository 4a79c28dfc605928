import type {
  CommandResult,
  GetLimitsResponse,
  Sender,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { CommandResult as ResultOfQuery } from "@oceanchat/gen/oceanchat/query/v1/query_mesh_service_pb";
import type { ClientCommand } from "./core/packets.ts";

/** A command on its way to the service that carries it out. */
export interface Dispatch<C extends ClientCommand = ClientCommand> {
  readonly sender: Pick<Sender, "userId" | "sessionId" | "deviceId">;
  readonly command: C;
  /** What it is about: the same key goes to the same instance. */
  readonly key: string;
  /** Empty when not traced. */
  readonly traceparent: string;
}

/** What a service answers. */
export type Result = (CommandResult | ResultOfQuery)["result"];

/** A service that carries out commands, as the router sees it. */
export interface CommandPort<C extends ClientCommand> {
  /** Rejects with the ServiceError that the service answered, or that says that it can't be reached. */
  dispatch(dispatch: Dispatch<C>): Promise<{ readonly result: Result }>;
}

/** Who knows what is accepted behind the router. */
export interface LimitsPort {
  /** Rejects with a ServiceError. */
  limits(): Promise<GetLimitsResponse>;
}
