import type {
  CommandResult,
  GetLimitsResponse,
  Sender,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import type { MessageCommand } from "./core/commands.ts";

/** A command on its way to message. */
export interface Dispatch {
  readonly sender: Pick<Sender, "userId" | "sessionId" | "deviceId">;
  readonly command: MessageCommand;
  /** What it is about: the same key goes to the same instance. */
  readonly conversationId: string;
  /** Empty when not traced. */
  readonly traceparent: string;
}

/** Message, as the router sees it. */
export interface MessagePort {
  /** Rejects with the ServiceError that message answered, or that says that it can't be reached. */
  dispatch(dispatch: Dispatch): Promise<CommandResult>;
}

/** Who knows what is accepted behind the router. */
export interface LimitsPort {
  /** Rejects with a ServiceError. */
  limits(): Promise<GetLimitsResponse>;
}
