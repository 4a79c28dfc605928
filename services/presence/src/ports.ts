import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { PublicJwk } from "@oceanchat/runtime/token";

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

/** Where presence is kept. Everything in it can be rebuilt from the gateways. */
export interface PresenceStore {
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

/** Other services. */
export interface PresencePeers {
  signingKeys(): Promise<readonly PublicJwk[]>;
}
