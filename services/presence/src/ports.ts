import type { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { PublicJwk } from "@oceanchat/runtime/token";
import type { Sessions } from "./ports/watches.ts";

/** A socket as presence keeps it. */
export interface LiveConnection {
  readonly connectionId: string;
  readonly gatewayId: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly deviceId: string;
  readonly platform: string;
  readonly codec: Codec;
  /** Since when, in milliseconds since the epoch. */
  readonly connectedAtMs: number;
}

/** A connection that gave way to another of the same device. */
export interface DisplacedConnection {
  readonly connectionId: string;
  readonly gatewayId: string;
}

/** Where connections are kept. Everything in it can be rebuilt from the gateways. */
export interface ConnectionStore {
  /**
   * Adds a connection and removes, in the same step, the older ones of the same device. When a newer one is there already, the
   * new entry itself is the one that gives way.
   */
  add(connection: LiveConnection, nowMs: number): Promise<readonly DisplacedConnection[]>;
  /** Removes only this connection's own entry. */
  remove(userId: string, connectionId: string): Promise<void>;
  /** Renews a gateway's lease; false when there was none (any more). */
  renewLease(gatewayId: string, address: string, leaseMs: number, nowMs: number): Promise<boolean>;
  /** Ends a gateway's lease: its entries count no longer. */
  endLease(gatewayId: string): Promise<void>;
  /** The addresses of the gateways whose lease lasts. */
  addressesOf(gatewayIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** All entries of users, those of dead gateways too. */
  connectionsOf(userIds: readonly string[]): Promise<readonly LiveConnection[]>;
  /** Gateways whose lease was not renewed since a time. */
  gatewaysSilentSince(timeMs: number, limit: number): Promise<readonly string[]>;
  /** Removes up to `limit` users' entries of a gateway that were added before a time; false when nothing of it is left. */
  sweep(gatewayId: string, addedBeforeMs: number, limit: number): Promise<boolean>;
}

/** Where connections are kept together with stamps, which change whenever a connection comes. */
export interface StampedStore {
  /** All entries of users and the stamps of slots, read before the entries, in one turn; none for a slot that has none. */
  stampedConnectionsOf(
    slots: readonly number[],
    userIds: readonly string[],
  ): Promise<{
    readonly stamps: ReadonlyMap<number, string>;
    readonly connections: readonly LiveConnection[];
  }>;
}

/** What a user has chosen, as it is stored. */
export interface StoredStatus {
  /** ONLINE, AWAY, BUSY or INVISIBLE. */
  readonly status: Status;
  readonly text: string;
  /** When both end, in milliseconds since the epoch; undefined for never. */
  readonly expireMs: number | undefined;
  /** When he was last seen, in milliseconds since the epoch. */
  readonly lastSeenMs: number | undefined;
}

/** Where what users have chosen is kept: durably, as nobody must become visible because a cache was lost. */
export interface StatusStore {
  /** One for each user, also for those who have chosen nothing. */
  read(userIds: readonly string[]): Promise<ReadonlyMap<string, StoredStatus>>;
}

/** Who looks at whom. */
export interface Pair {
  readonly viewerId: string;
  readonly userId: string;
}

/** Who may see whom. */
export interface Users {
  /** One verdict for each pair, in their order; any number of pairs. */
  checkPresence(pairs: readonly Pair[]): Promise<PresenceVerdict[]>;
}

/** Where it is noted how users may look otherwise than before. */
export interface Changes {
  /**
   * What is shown of these users may have changed: it is to be looked at again. Called after the change, also when nothing changed
   * in the end, and again when a report is repeated. Rejects when it could not be noted: whoever reported tries again.
   */
  mark(userIds: readonly string[]): Promise<void>;
}

/** Other services. */
export interface PresencePeers {
  readonly users: Users;
  readonly sessions: Sessions;
  signingKeys(): Promise<readonly PublicJwk[]>;
}
