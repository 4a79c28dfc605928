import type { LocateResponse } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";

/** A payload for connections of one gateway. */
export interface Parcel {
  readonly connectionIds: readonly string[];
  readonly payload: Uint8Array;
  /** What stands in for the payload on a connection that is too slow. */
  readonly hint: Uint8Array;
  /** What the hint is about: while a connection is too slow, it is owed only the newest hint of each key. */
  readonly hintKey: string;
  /** Which of a key's hints is the newest: the greatest. */
  readonly hintOrder: bigint;
  readonly traceparent: string;
}

/**
 * What became of a parcel:
 * - `done`: written to all connections but those that the gateway doesn't have;
 * - `unreachable`: certainly not written, there is no way to the gateway;
 * - `broken`: the stream broke before the answer; it may be written;
 * - `silent`: no answer has come from the gateway for long, but the stream stands; it may be written, or be yet;
 * - `busy`: not taken, later perhaps;
 * - `refused`: not taken, for a reason that won't go away.
 */
export type Receipt =
  | { readonly kind: "done"; readonly unknownConnectionIds: readonly string[] }
  | { readonly kind: "unreachable" | "broken" | "silent" | "busy" }
  | { readonly kind: "refused"; readonly error: unknown };

export interface Gateways {
  /** Never rejects. Parcels for one address are written in the order of the calls. */
  deliver(address: string, parcel: Parcel): Promise<Receipt>;
}

export interface Presence {
  /** At most 1000 users. */
  locate(userIds: readonly string[]): Promise<Pick<LocateResponse, "connections" | "gateways">>;
}

/** When users are told offline: `later` whoever is probably about to come back, and then only if he hasn't. */
export type When = "now" | "later";

export interface Offline {
  /** Has users told of a record, at most 1000, each once. False when the stream is full. */
  tell(userIds: readonly string[], record: Record, when: When, traceparent: string): Promise<boolean>;
}

export interface Clock {
  /** Milliseconds since any moment. */
  now(): number;
  pause(ms: number): Promise<void>;
}

/** What an operator should know. */
export interface Journal {
  refused(address: string, error: unknown): void;
  presenceAway(error: unknown): void;
  offlineFull(notices: number): void;
}
