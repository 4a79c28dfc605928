import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { type Presence, PresenceSchema } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { ChangeQueue, Showing, Watch, Watcher, WatchStore } from "../ports/watches.ts";
import type { ConnectionStore } from "../ports.ts";
import { fromKept, toKept } from "./kept.ts";
import { instanceOf } from "./stream-gateway.ts";
import { type PresenceView, presenceOf, VERDICT_MS } from "./view.ts";

/** What the watches need. */
export interface WatchNeeds {
  readonly watches: WatchStore;
  readonly queue: ChangeQueue;
  /** Must read states anew: what a cache still believes would never be corrected. */
  readonly view: Pick<PresenceView, "statesOf" | "sightsOf">;
  readonly connections: Pick<ConnectionStore, "connectionsOf" | "addressesOf">;
  readonly leaseMs: number;
  /** Told of what a gateway has kept and nobody understands. */
  readonly onUnreadable: (error: unknown) => void;
  readonly now: () => number;
}

/** The answer to a subscription. */
export interface Subscribed {
  readonly presences: readonly Presence[];
  /** What the gateway is to keep for the connection. */
  readonly keep: Uint8Array;
}

/** How many users a connection may watch. */
export const MAX_WATCHED = 500;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A connection that presence hasn't heard of is looked for again after this time. */
const DOUBT_MS = 60_000;
/** How much one turn of the sweep does at most. */
const SWEEP_DOUBTED = 500;
const SWEEP_CONNECTIONS = 200;
const SWEEP_STEPS = 10;

/** What identifies how a user looks: the same for the same presence. */
export function formOf(presence: Presence): string {
  return createHash("sha1").update(toBinary(PresenceSchema, presence)).digest("base64url").slice(0, 10);
}

/** Who watches whom on which connection. */
export class Watches {
  readonly #needs: WatchNeeds;
  /** What is under way for each connection, so that its subscriptions take effect in the order in which they came. */
  readonly #running = new Map<string, Promise<unknown>>();
  /** Gateways without a lease, and since when. */
  readonly #silent = new Map<string, number>();

  constructor(needs: WatchNeeds) {
    this.#needs = needs;
  }

  /** Has a connection watch these users and no others any more; answers how they are. */
  subscribe(watcher: Watcher, userIds: readonly string[]): Promise<Subscribed> {
    const ids = distinct(userIds);
    return this.#inOrder(watcher.connectionId, () => this.#subscribe(watcher, ids));
  }

  /** Has a connection watch what its gateway has kept. Once all gateways have reported, it is shown how those users are. */
  async restore(watcher: Watcher, kept: Uint8Array): Promise<void> {
    const { watches, queue, now, leaseMs, onUnreadable } = this.#needs;
    let userIds: readonly string[];
    try {
      userIds = fromKept(kept).slice(0, MAX_WATCHED);
    } catch (error) {
      return onUnreadable(error); // the connection itself counts all the same
    }
    await this.#inOrder(watcher.connectionId, async () => {
      const nowMs = now();
      await watches.begin(watcher, userIds, { kind: "unknown" }, nowMs);
      await queue.note(userIds, nowMs + leaseMs);
    });
  }

  /** A connection is gone. */
  end(connectionId: string): Promise<void> {
    return this.#inOrder(connectionId, () => this.#needs.watches.end(connectionId));
  }

  /** What is shown of these users may have changed. */
  async mark(userIds: readonly string[]): Promise<void> {
    const watched = await this.#needs.watches.watched(userIds);
    if (watched.length > 0) await this.#needs.queue.note(watched, this.#needs.now());
  }

  /** Who may see these users has changed. Looked at when nobody believes any more what was true before. */
  async review(userIds: readonly string[]): Promise<void> {
    const { watches, queue, now } = this.#needs;
    const watched = await watches.watched(userIds);
    if (watched.length === 0) return;
    await watches.review(watched);
    await queue.note(watched, now() + VERDICT_MS);
  }

  /** One bounded turn of removing what connections have left behind. */
  async sweep(): Promise<void> {
    await this.#sweepDoubted();
    await this.#sweepGateways();
  }

  async #subscribe(watcher: Watcher, userIds: readonly string[]): Promise<Subscribed> {
    const { watches, queue, view, now } = this.#needs;
    if (userIds.length === 0) {
      await watches.end(watcher.connectionId);
      return { presences: [], keep: toKept([]) };
    }
    // Asked first: when it can't be, all stays as it was.
    const sights = await view.sightsOf(userIds.map((userId) => ({ viewerId: watcher.viewerId, userId })));
    const sinceMs = now();
    // Whoever changes after this is noted; whoever changed before it is read as he is now.
    await watches.begin(watcher, userIds, { kind: "pending" }, sinceMs);
    const states = await view.statesOf(userIds);
    const presences: Presence[] = [];
    const showings = new Map<string, readonly Showing[]>();
    const answeredMs = now();
    for (const [index, state] of states.entries()) {
      const sight = sights[index] ?? "nothing";
      const presence = presenceOf(state, sight);
      presences.push(presence);
      const before: Watch = { ...watcher, sinceMs, shown: { kind: "pending" } };
      const shown = { kind: "form", sight, form: formOf(presence) } as const;
      showings.set(state.userId, [{ before, after: { ...before, sinceMs: answeredMs, shown } }]);
    }
    await watches.show(showings);
    const unread = states.flatMap(({ chosen, userId }) => (chosen === undefined ? [userId] : []));
    if (unread.length > 0) await queue.note(unread, answeredMs);
    const isStream = instanceOf(watcher.gatewayId) !== undefined;
    if (!isStream && !(await this.#isConnected(watcher))) await watches.doubt(watcher, answeredMs + DOUBT_MS);
    return { presences, keep: toKept(userIds) };
  }

  /** Its end may have been reported before it subscribed, or its beginning not yet. */
  async #isConnected({ viewerId, connectionId }: Pick<Watcher, "viewerId" | "connectionId">): Promise<boolean> {
    const connections = await this.#needs.connections.connectionsOf([viewerId]);
    return connections.some((each) => each.connectionId === connectionId);
  }

  async #sweepDoubted(): Promise<void> {
    const { watches, now } = this.#needs;
    for (const doubted of await watches.doubted(now(), SWEEP_DOUBTED)) {
      if (!(await this.#isConnected(doubted))) await this.end(doubted.connectionId);
    }
  }

  /** Only after two leases: a gateway that was cut off for a moment reports all again. */
  async #sweepGateways(): Promise<void> {
    const { watches, connections, leaseMs, now } = this.#needs;
    const gatewayIds = await watches.gatewayIds();
    const alive = await connections.addressesOf(gatewayIds);
    const silent = gatewayIds.filter((gatewayId) => !alive.has(gatewayId));
    for (const gatewayId of this.#silent.keys()) if (!silent.includes(gatewayId)) this.#silent.delete(gatewayId);
    const before = now() - 2 * leaseMs;
    let steps = 0;
    for (const gatewayId of silent) {
      const sinceMs = this.#silent.get(gatewayId) ?? now();
      this.#silent.set(gatewayId, sinceMs);
      while (sinceMs <= before && steps++ < SWEEP_STEPS) {
        const connectionIds = await watches.someOf(gatewayId, SWEEP_CONNECTIONS);
        await Promise.all(connectionIds.map((connectionId) => watches.end(connectionId, before)));
        if (connectionIds.length > 0) continue;
        await watches.forgetGateway(gatewayId);
        this.#silent.delete(gatewayId);
        break;
      }
    }
  }

  async #inOrder<T>(connectionId: string, run: () => Promise<T>): Promise<T> {
    const before = this.#running.get(connectionId);
    const result = before === undefined ? run() : before.then(run, run);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#running.set(connectionId, tail);
    try {
      return await result;
    } finally {
      if (this.#running.get(connectionId) === tail) this.#running.delete(connectionId);
    }
  }
}

/** Each user once, under his one name. */
function distinct(userIds: readonly string[]): string[] {
  const refuse = (description: string) => shared.invalidFields([{ field: "user_ids", description }]);
  if (userIds.length > MAX_WATCHED) throw refuse(`must have no more than ${MAX_WATCHED} items`);
  const ids = [...new Set(userIds.map((userId) => userId.toLowerCase()))];
  if (!ids.every((id) => UUID.test(id))) throw refuse("must be UUIDs");
  return ids;
}
