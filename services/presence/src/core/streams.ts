import type { Presence } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Sessions, Watcher } from "../ports/watches.ts";
import type { ConnectionStore } from "../ports.ts";
import { toKept } from "./kept.ts";
import type { Watches } from "./watches.ts";

/** What streams need. */
export interface StreamNeeds {
  readonly watches: Pick<Watches, "subscribe" | "restore" | "end">;
  readonly leases: Pick<ConnectionStore, "renewLease" | "endLease">;
  readonly sessions: Sessions;
  /** What this instance's streams are held by, in place of a gateway; new at each start. */
  readonly gatewayId: string;
  readonly leaseMs: number;
  /** A new id that nobody has used. */
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Streams of an instance, and of one user on it. */
const MAX_STREAMS = 1_000;
const MAX_STREAMS_PER_USER = 5;
const SESSIONS_AT_ONCE = 1_000;
/** There is no door behind the lease: what is for streams goes over NATS. */
const NO_ADDRESS = "-";

/** Somebody who watches users by a call that goes on. */
interface Stream {
  readonly watcher: Watcher;
  readonly sessionId: string;
  userIds: readonly string[];
  /** What is to be told, the newest of each user. */
  readonly changes: Map<string, Presence>;
  /** Whether to say something though there is nothing to say, so that nobody on the way takes the stream for dead. */
  beat: boolean;
  end: Error | undefined;
  wake: () => void;
}

/**
 * The streams of this instance. To the watches they are connections of a gateway of their own: its lease is renewed while there are
 * streams, and when Redis has lost everything they are reported anew.
 */
export class Streams {
  readonly #needs: StreamNeeds;
  readonly #streams = new Map<string, Stream>();
  #renewedMs = Number.NEGATIVE_INFINITY;

  constructor(needs: StreamNeeds) {
    this.#needs = needs;
  }

  /** Watches users: how they are, then changes, then now and then nothing. Ends with the signal, the session or the process. */
  async *open(
    who: { readonly userId: string; readonly sessionId: string },
    userIds: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly Presence[]> {
    const { watches } = this.#needs;
    const stream = this.#add(who);
    const { connectionId } = stream.watcher;
    const gone = () => stream.wake();
    signal.addEventListener("abort", gone);
    try {
      await this.#renewIfDue();
      const { presences } = await watches.subscribe(stream.watcher, userIds);
      stream.userIds = presences.map(({ userId }) => userId);
      yield presences;
      while (!signal.aborted && stream.userIds.length > 0) {
        if (stream.end !== undefined) throw stream.end;
        if (stream.changes.size > 0 || stream.beat) yield take(stream);
        else await new Promise<void>((resolve) => (stream.wake = resolve));
      }
    } finally {
      signal.removeEventListener("abort", gone);
      this.#streams.delete(connectionId);
      await watches.end(connectionId);
    }
  }

  /** A change for some of them. */
  tell(streamIds: readonly string[], presence: Presence): void {
    for (const id of streamIds) {
      const stream = this.#streams.get(id);
      stream?.changes.set(presence.userId, presence);
      stream?.wake();
    }
  }

  /** Says nothing on each, so that it counts as alive. */
  async beat(): Promise<void> {
    for (const stream of this.#streams.values()) {
      stream.beat = true;
      stream.wake();
    }
  }

  /** Renews the lease while there are streams; to be called three times in its time. */
  async renew(): Promise<void> {
    if (this.#streams.size === 0) return;
    const { leases, watches, gatewayId, leaseMs, now } = this.#needs;
    const held = await leases.renewLease(gatewayId, NO_ADDRESS, leaseMs, now());
    this.#renewedMs = now();
    if (held) return;
    for (const { watcher, userIds } of this.#streams.values()) {
      if (userIds.length > 0) await watches.restore(watcher, toKept(userIds));
    }
  }

  /** Ends those whose session has ended. */
  async checkSessions(): Promise<void> {
    const all = [...new Set([...this.#streams.values()].map(({ sessionId }) => sessionId))];
    for (let from = 0; from < all.length; from += SESSIONS_AT_ONCE) {
      const asked = all.slice(from, from + SESSIONS_AT_ONCE);
      const live = await this.#needs.sessions.live(asked);
      const ended = new Set(asked.filter((sessionId) => !live.has(sessionId)));
      for (const stream of this.#streams.values()) {
        if (ended.has(stream.sessionId)) end(stream, shared.sessionRevoked());
      }
    }
  }

  /** Ends all: the process stops. */
  async close(): Promise<void> {
    for (const stream of this.#streams.values()) end(stream, shared.unavailable("this instance is stopping"));
    const { leases, gatewayId, now } = this.#needs;
    if (this.#streams.size > 0) await leases.endLease(gatewayId, 0, now());
  }

  async #renewIfDue(): Promise<void> {
    if (this.#needs.now() - this.#renewedMs > this.#needs.leaseMs / 2) await this.renew();
  }

  #add({ userId, sessionId }: { readonly userId: string; readonly sessionId: string }): Stream {
    const { gatewayId, newId } = this.#needs;
    const own = [...this.#streams.values()].filter(({ watcher }) => watcher.viewerId === userId).length;
    if (own >= MAX_STREAMS_PER_USER) throw shared.overloaded("too many streams of this user");
    if (this.#streams.size >= MAX_STREAMS) throw shared.overloaded("too many streams");
    const watcher = { connectionId: `s_${newId()}`, gatewayId, viewerId: userId, codec: Codec.UNSPECIFIED };
    const rest = { userIds: [], changes: new Map(), beat: false, end: undefined, wake: () => {} };
    const stream: Stream = { watcher, sessionId, ...rest };
    this.#streams.set(watcher.connectionId, stream);
    return stream;
  }
}

function take(stream: Stream): readonly Presence[] {
  const changes = [...stream.changes.values()];
  stream.changes.clear();
  stream.beat = false;
  return changes;
}

function end(stream: Stream, error: Error): void {
  stream.end = error;
  stream.wake();
}
