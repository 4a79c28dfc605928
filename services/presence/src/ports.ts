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

/** A connection that gave way to another, of the same device or because there were too many. */
export interface DisplacedConnection {
  readonly connectionId: string;
  readonly gatewayId: string;
}

/** How many connections a user may have. */
export interface DevicePolicy {
  /** By platform (`PLATFORM_WEB`): the name of the class that it is counted in. */
  readonly classes: Readonly<Record<string, string>>;
  /** By class: how many of it. */
  readonly limits: Readonly<Record<string, number>>;
  /** How many in all. */
  readonly total: number;
}

/** What is known of gateways: only entries of those that live count. */
export interface KnownGateways {
  readonly alive: readonly string[];
  readonly dead: readonly string[];
}

/** What adding a connection says. */
export interface AddAnswer {
  /** Who gave way, now or before without being noted. */
  readonly displaced: readonly DisplacedConnection[];
}

/** What removing entries says. */
export interface Removal {
  /** Whether there was anything. */
  readonly removed: boolean;
  /** The gateways of the user's other entries, living or not. */
  readonly otherGatewayIds: readonly string[];
  /** The user's connections that gave way before without being noted. */
  readonly unnoted: readonly DisplacedConnection[];
}

/** A gateway that has been silent for a lease. */
export interface SilentGateway {
  readonly gatewayId: string;
  /** Its last sign of life, in milliseconds since the epoch. */
  readonly renewedMs: number;
}

/** Where connections are kept. Everything in it can be rebuilt from the gateways. */
export interface ConnectionStore {
  /**
   * Adds a connection and removes, in the same step, those that give way to it: the older ones of the same device, and the oldest
   * beyond the policy. The new one itself gives way when a newer one of its device is there, or when it is the oldest of too many.
   * A connection that has gone is not added. Asks, and changes nothing, when there are entries of gateways that aren't known.
   */
  add(
    connection: LiveConnection,
    known: KnownGateways,
    policy: DevicePolicy,
  ): Promise<AddAnswer | { readonly ask: readonly string[] }>;
  /** Removes only this connection's own entry, and keeps it from being added again. */
  remove(userId: string, connectionId: string): Promise<Removal>;
  /**
   * Notes for their gateways which connections of a user gave way, as long as a lease. Until then the store names them again whenever
   * the user's connections change: whoever was to note them may have died.
   */
  noteDisplaced(userId: string, displaced: readonly DisplacedConnection[], leaseMs: number): Promise<void>;
  /** Takes out what is noted for a gateway; not all, when it is much. */
  takeDisplaced(gatewayId: string): Promise<readonly string[]>;
  /** Renews a gateway's lease; false when there was none (any more). */
  renewLease(gatewayId: string, address: string, leaseMs: number, nowMs: number): Promise<boolean>;
  /** A gateway has said farewell: its lease, if it has one, ends so many milliseconds after that time, and it is silent from then on. */
  endLease(gatewayId: string, lastingMs: number, nowMs: number): Promise<void>;
  /** The addresses of the gateways whose lease lasts. */
  addressesOf(gatewayIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** All entries of users, those of dead gateways too. */
  connectionsOf(userIds: readonly string[]): Promise<readonly LiveConnection[]>;
  /** Gateways that were silent for a lease, the longest first, and the store's time in milliseconds since the epoch. */
  silent(
    leaseMs: number,
    limit: number,
  ): Promise<{ readonly nowMs: number; readonly gateways: readonly SilentGateway[] }>;
  /** Users whom a silent gateway had reported, until they are `swept`. */
  reportedBy(gatewayId: string, limit: number): Promise<readonly string[]>;
  /** Removes users' entries of a gateway that were added before a time of the store. */
  sweep(gatewayId: string, userIds: readonly string[], addedBeforeMs: number): Promise<ReadonlyMap<string, Removal>>;
  /** These users are done with; those to keep have been reported again since and are swept when the gateway goes another time. */
  swept(gatewayId: string, userIds: readonly string[], keep: readonly string[]): Promise<void>;
  /** Nothing of a gateway is left; unless it has been renewed after a time of the store. */
  forget(gatewayId: string, silentSinceMs: number): Promise<void>;
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
    /** Since when something has been kept without a break, in milliseconds since the epoch; undefined after everything was lost. */
    readonly epochMs: number | undefined;
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
  /** Stores a choice; `seenMs` moves when he was last seen forward. Gives what is stored then. */
  set(userId: string, choice: Choice, seenMs: number | undefined): Promise<StoredStatus>;
  /** Moves when users were last seen forward, never back. At most 1000 users. */
  seen(lastSeenMs: ReadonlyMap<string, number>): Promise<void>;
  /** Statuses that end after a place and until a time, in order, at most `limit`. */
  ending(after: Ending, untilMs: number, limit: number): Promise<readonly Ending[]>;
}

/** What a user chooses. */
export type Choice = Pick<StoredStatus, "status" | "text" | "expireMs">;

/** Whose status ends when, in milliseconds since the epoch. */
export interface Ending {
  readonly userId: string;
  readonly timeMs: number;
}

/** Who has gone, until it is written when they were last seen. In Redis: a write for each would be too many. */
export interface LeftStore {
  /** Notes that users have gone at a time, in milliseconds since the epoch; a later time counts. */
  note(userIds: readonly string[], leftMs: number): Promise<void>;
  /** When users have gone, of those of whom it isn't written yet. */
  of(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Some of whom it isn't written yet. */
  waiting(limit: number): Promise<ReadonlyMap<string, number>>;
  /** It is written, unless they have gone again since. */
  written(left: ReadonlyMap<string, number>): Promise<void>;
}

/** Divides work that comes again and again among the instances. */
export interface Turns {
  /** Whether this instance is to do it now: true for one of them in so many milliseconds. */
  take(name: string, ms: number): Promise<boolean>;
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
