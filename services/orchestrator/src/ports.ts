import type { Found } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { GatewaySignal } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { MembershipBody, Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

/** Who may see a record. */
export type Audience =
  | { readonly kind: "users"; readonly userIds: readonly string[] }
  | { readonly kind: "group"; readonly groupId: string };

/** A record of the log on its way to people. */
export interface Entry {
  readonly record: Record;
  readonly audience: Audience;
  /** Where it lies in the stream. */
  readonly sequence: number;
  /** The record as it lies in the log. */
  readonly encoded: Uint8Array;
  /** W3C trace context; empty when not traced. */
  readonly traceparent: string;
}

/** The members of a group. */
export interface MemberList {
  /** In ascending order. */
  readonly userIds: readonly string[];
  readonly version: bigint;
}

/** The members of a group, unless there are too many. */
export interface LimitedMemberList {
  /** In ascending order; undefined when there are too many. */
  readonly userIds: readonly string[] | undefined;
  readonly version: bigint;
}

export interface Groups {
  /** All members; empty for a group that doesn't exist. */
  members(groupId: string): Promise<MemberList>;
  /** All members of a group that has no more than `limit`. */
  membersUpTo(groupId: string, limit: number): Promise<LimitedMemberList>;
  /** The version of the member list alone. */
  version(groupId: string): Promise<bigint>;
}

export interface Log {
  /** The changes of membership that a conversation's log holds after a place in the stream, in order. */
  membershipAfter(conversationId: string, sequence: number): Promise<readonly MembershipBody[]>;
}

/** A question about where users are: at most 1000 of each. The contract's `Finding` says what slots and stamps are. */
export interface Question {
  readonly userIds: readonly string[];
  readonly slots: readonly number[];
  readonly gatewayIds: readonly string[];
}

/** An answer, in the order of the question. */
export type Answer = Pick<Found, "connections" | "userSlots" | "userStamps" | "stamps" | "gateways" | "rebuilding">;

export interface Presence {
  find(question: Question): Promise<Answer>;
}

/** Something to publish: an encoded task and the id by which a repeat is known. */
export interface Task {
  readonly data: Uint8Array;
  readonly messageId: string;
  readonly traceparent: string;
}

export interface Push {
  /** Hands an `OnlineTask` over. */
  online(gatewayId: string, task: Task): Promise<void>;
  /** Hands an `OfflineTask` over; `userId` is the first of its users. False when the stream is full. */
  offline(userId: string, task: Task): Promise<boolean>;
}

/** Where signals for a gateway's connections go, at most once. */
export interface SignalOutlet {
  send(signal: GatewaySignal): void;
}
