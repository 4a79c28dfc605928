import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Presence, PresenceSchema, Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { PresenceVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { ConnectionStore, LeftStore, Pair, Users } from "../ports.ts";
import type { Leases } from "./leases.ts";
import { Recent } from "./recent.ts";
import type { Statuses } from "./statuses.ts";

/** How a user is, whoever looks. Nothing of it may be shown but by way of `presenceOf`. */
export interface UserState {
  readonly userId: string;
  /** Whether he has a live connection. */
  readonly live: boolean;
  /**
   * What he has chosen: ONLINE, AWAY, BUSY or INVISIBLE; undefined when that can't be read now, which looks offline: a change of it
   * is to be looked at again later.
   */
  readonly chosen: Status | undefined;
  readonly text: string;
  /** When his last connection went while he was visible, or when he became invisible; in milliseconds since the epoch. */
  readonly lastSeenMs: number | undefined;
}

/** What of a user somebody may see. `own`: it is himself. */
export type Sight = "own" | "all" | "status" | "nothing";

/** How users look to viewers. */
export interface PresenceView {
  /**
   * How users look to a viewer, one for each in their order. Rejects with UNAVAILABLE when it isn't known who is connected, or
   * what the viewer may see.
   */
  view(viewerId: string, userIds: readonly string[]): Promise<Presence[]>;
  /**
   * How users are, one for each in their order: what a change is found by, so nothing of it is from memory but leases. Rejects with
   * UNAVAILABLE when it isn't known who is connected.
   */
  statesOf(userIds: readonly string[]): Promise<UserState[]>;
  /** Whether a user has a live connection. */
  isLive(userId: string): Promise<boolean>;
  /** What viewers may see of users, one for each pair in their order. Rejects with UNAVAILABLE when user can't be asked. */
  sightsOf(pairs: readonly Pair[]): Promise<Sight[]>;
}

/** A verdict counts for this long, in milliseconds: who is blocked sees nothing after it. */
export const VERDICT_MS = 1_000;
const VERDICTS = { entries: 200_000, ms: VERDICT_MS };

/** Makes the view over what is known of connections, statuses and of who may see whom. */
export function createView(options: {
  readonly store: Pick<ConnectionStore, "connectionsOf">;
  readonly leases: Pick<Leases, "addressesOf">;
  readonly statuses: Pick<Statuses, "of">;
  readonly left: Pick<LeftStore, "of">;
  readonly users: Users;
  readonly now: () => number;
}): PresenceView {
  const { store, leases, statuses, left, users, now } = options;
  const verdicts = new Recent<PresenceVerdict>(VERDICTS, now);
  const liveAmong = async (userIds: readonly string[]) => {
    const entries = await store.connectionsOf(userIds);
    const alive = await leases.addressesOf(entries.map(({ gatewayId }) => gatewayId));
    return new Set(entries.flatMap(({ userId, gatewayId }) => (alive.has(gatewayId) ? [userId] : [])));
  };
  const states = async (userIds: readonly string[], fresh: boolean): Promise<UserState[]> => {
    const distinct = [...new Set(userIds)];
    const [live, chosen, gone] = await Promise.all([
      liveAmong(distinct),
      statuses.of(distinct, fresh),
      left.of(distinct),
    ]);
    return userIds.map((userId) => {
      const { status, text = "", lastSeenMs } = chosen.get(userId) ?? {};
      // Whoever is invisible was so when he went, as far as is known: that isn't shown.
      const leftMs = status === Status.INVISIBLE ? undefined : gone.get(userId);
      return { userId, live: live.has(userId), chosen: status, text, lastSeenMs: later(lastSeenMs, leftMs) };
    });
  };
  const sightsOf = (pairs: readonly Pair[]) => sights(users, verdicts, pairs);
  return {
    async view(viewerId, userIds) {
      const [found, seen] = await Promise.all([
        states(userIds, false),
        sightsOf(userIds.map((userId) => ({ viewerId, userId }))),
      ]);
      return found.map((state, index) => presenceOf(state, seen[index] ?? "nothing"));
    },
    statesOf: (userIds) => states(userIds, true),
    sightsOf,
    isLive: async (userId) => (await liveAmong([userId])).has(userId),
  };
}

const later = (a: number | undefined, b: number | undefined) => (a === undefined || (b ?? 0) > a ? b : a);

/** How a user looks to somebody who may see so much. The one place that decides what is shown. */
export function presenceOf({ userId, live, chosen, text, lastSeenMs }: UserState, sight: Sight): Presence {
  const lastSeen = lastSeenMs === undefined ? {} : { lastSeenTime: timestampFromMs(lastSeenMs) };
  if (sight === "nothing" || chosen === undefined) return create(PresenceSchema, { userId, status: Status.OFFLINE });
  if (sight === "own") {
    // Invisible also without a connection: otherwise nobody could find out that he has forgotten to become visible again.
    if (live || chosen === Status.INVISIBLE)
      return create(PresenceSchema, { userId, status: chosen, statusText: text });
    return create(PresenceSchema, { userId, status: Status.OFFLINE, statusText: text, ...lastSeen });
  }
  if (live && chosen !== Status.INVISIBLE) return create(PresenceSchema, { userId, status: chosen, statusText: text });
  // No words either: who is invisible must look like everybody who isn't here.
  return create(PresenceSchema, { userId, status: Status.OFFLINE, ...(sight === "all" ? lastSeen : {}) });
}

async function sights(users: Users, known: Recent<PresenceVerdict>, pairs: readonly Pair[]): Promise<Sight[]> {
  const keyOf = ({ viewerId, userId }: Pair) => `${viewerId}:${userId}`;
  const found = new Map<string, PresenceVerdict>();
  const asked = new Map<string, Pair>();
  for (const pair of pairs) {
    if (pair.viewerId === pair.userId) continue;
    const key = keyOf(pair);
    const verdict = known.get(key);
    if (verdict !== undefined) found.set(key, verdict.value);
    else asked.set(key, pair);
  }
  if (asked.size > 0) {
    const answers = await users.checkPresence([...asked.values()]);
    for (const [index, key] of [...asked.keys()].entries()) {
      const verdict = answers[index] ?? PresenceVerdict.HIDDEN;
      known.set(key, verdict);
      found.set(key, verdict);
    }
  }
  return pairs.map((pair) => (pair.viewerId === pair.userId ? "own" : sightOf(found.get(keyOf(pair)))));
}

function sightOf(verdict: PresenceVerdict | undefined): Sight {
  if (verdict === PresenceVerdict.ALL) return "all";
  return verdict === PresenceVerdict.STATUS ? "status" : "nothing";
}
