import type { Presence } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import type { Sight } from "../core/view.ts";

/** A connection, or a stream, on which somebody watches users. */
export interface Watcher {
  readonly connectionId: string;
  readonly gatewayId: string;
  readonly viewerId: string;
  readonly codec: Codec;
}

/** What a watcher has last been shown of a user. */
export type Shown =
  /** Nothing yet: the answer to his subscription is being made. */
  | { readonly kind: "pending" }
  /** Not known: the watch was rebuilt from what his gateway has kept. */
  | { readonly kind: "unknown" }
  /** This form of the user's presence (`formOf`), which he was entitled to by this sight. */
  | { readonly kind: "form"; readonly sight: Sight; readonly form: string };

/** A watcher of one user, as it is kept. */
export interface Watch extends Watcher {
  readonly shown: Shown;
  /** When the watch began or was answered, in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** What a watcher is shown from now on. */
export interface Showing {
  readonly before: Watch;
  readonly after: Watch;
}

/** Who watches whom. All of it can be lost at any time, and is rebuilt from what gateways keep. */
export interface WatchStore {
  /** Has a connection watch these users, and no others any more. A user whom too many watch already is left out. */
  begin(watcher: Watcher, userIds: readonly string[], shown: Shown, nowMs: number): Promise<void>;
  /** Ends everything that a connection watches; with a time, only what began before it. */
  end(connectionId: string, begunBeforeMs?: number): Promise<void>;
  /** Of a user's watches these change, unless they have changed otherwise meanwhile. */
  show(changes: ReadonlyMap<string, readonly Showing[]>): Promise<void>;
  /** Removes watches of a user that are still as they are given. */
  remove(userId: string, watches: readonly Watch[]): Promise<void>;
  /** Notes for a while that of these users' watchers each is to be asked about anew. */
  review(userIds: readonly string[]): Promise<void>;
  /** Those of the users of whom that is noted. */
  underReview(userIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Which of the users are watched. */
  watched(userIds: readonly string[]): Promise<readonly string[]>;
  /** A part of a user's watches, from a cursor on; `0` begins, and ends. A watch may come twice. */
  part(userId: string, cursor: string): Promise<{ readonly watches: readonly Watch[]; readonly cursor: string }>;
  /** Gateways with connections that watch. */
  gatewayIds(): Promise<readonly string[]>;
  /** Some of a gateway's connections that watch. */
  someOf(gatewayId: string, limit: number): Promise<readonly string[]>;
  /** A gateway has no connections that watch any more. */
  forgetGateway(gatewayId: string): Promise<void>;
  /** Notes that it is to be looked later whether this connection is still there. */
  doubt(watcher: Watcher, dueMs: number): Promise<void>;
  /** Takes connections to be looked for. */
  doubted(nowMs: number, limit: number): Promise<readonly Pick<Watcher, "connectionId" | "viewerId">[]>;
}

/** Users that are to be looked at, each by one instance at a time. */
export interface ChangeQueue {
  /** Notes users, to be looked at not before a time. */
  note(userIds: readonly string[], dueMs: number): Promise<void>;
  /** Takes users who are due. Those that are not given back until then are due again. */
  take(limit: number, nowMs: number, untilMs: number): Promise<readonly string[]>;
  /** Gives back users that were looked at; they rest until a time, and `again` are due then. */
  done(userIds: readonly string[], again: readonly string[], restUntilMs: number): Promise<void>;
}

/** The sessions that streams belong to. */
export interface Sessions {
  /** Which of at most 1000 sessions live. */
  live(sessionIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** Where changes are sent. */
export interface Outlet {
  /** To connections of a gateway; false when it was certainly not sent. */
  toGateway(
    gateway: { readonly gatewayId: string; readonly address: string },
    to: readonly Watch[],
    what: Presence,
  ): boolean;
  /** To streams of an instance; false when it was certainly not sent. */
  toStreams(instanceId: string, to: readonly Watch[], what: Presence): boolean;
}
