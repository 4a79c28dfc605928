import type { GatewayReport, ReportResult } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { GetLimitsResponse, Reply, Uplink } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { Closing } from "./core/closing.ts";
import type { Framing } from "./core/frames.ts";

/** One transport of packets, as a session sees it. */
export interface Wire {
  readonly framing: Framing;
  /** Bytes that were given to `write` and have not left this process. */
  readonly unsentBytes: number;
  /** Bytes that have ever come in; whether it grows tells whether the other side lives. */
  readonly receivedBytes: number;
  /** Writes a whole frame. */
  write(frame: Buffer): void;
  /** Calls back once, when all that was written until now is sent; perhaps also, or not at all, when the other side has gone. */
  onceSent(then: () => void): void;
  /** Reads no more for now; what has already come may yet be handed over. */
  pause(): void;
  resume(): void;
  /** Says why and ends; cut after a few seconds if the other side doesn't take it. */
  close(closing: Closing): void;
  /** Ends at once. */
  cut(): void;
  readonly isCut: boolean;
}

/** Routers, as the gateway sees them. */
export interface RouterPort {
  /** Gives the encoded answer, empty for none, and what is to be kept for the connection. Rejects with a ServiceError. */
  exchange(uplink: Omit<Uplink, "ref" | "$typeName" | "$unknown">): Promise<Pick<Reply, "payload" | "keep">>;
  /** What the services behind it accept, for clients to know. Rejects with a ServiceError. */
  limits(): Promise<GetLimitsResponse>;
}

/** What is reported to presence. */
export type ReportEvent = Exclude<GatewayReport["event"], { case: undefined }>;

/** Presence, as the gateway sees it. */
export interface PresencePort {
  /** Reports with the same key arrive in order. Rejects with a ServiceError. */
  report(event: ReportEvent, key: string): Promise<Pick<ReportResult, "replaced" | "reportAll">>;
}

/** Auth, as the gateway sees it. */
export interface AuthPort {
  /** Which of at most 1000 sessions live. */
  liveSessions(sessionIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** Other gateways. */
export interface GatewaysPort {
  closeConnections(address: string, connectionIds: readonly string[], closing: Closing): Promise<void>;
}
