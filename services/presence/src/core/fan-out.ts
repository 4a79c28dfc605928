import type { Presence } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import type { ChangeQueue, Outlet, Showing, Watch, WatchStore } from "../ports/watches.ts";
import type { Leases } from "./leases.ts";
import { instanceOf } from "./stream-gateway.ts";
import { type PresenceView, presenceOf, type Sight, type UserState } from "./view.ts";
import { formOf } from "./watches.ts";

/** What the fan-out needs. */
export interface FanOutNeeds {
  readonly watches: Pick<WatchStore, "part" | "show" | "remove" | "underReview">;
  readonly queue: ChangeQueue;
  /** Must read states anew: what a cache still believes would never be corrected. */
  readonly view: Pick<PresenceView, "statesOf" | "sightsOf">;
  readonly leases: Pick<Leases, "addressesOf">;
  readonly outlet: Outlet;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Users that one turn looks at. */
const USERS = 200;
/** For so long they are this instance's; when it dies, another one takes them after it. */
const TAKEN_MS = 10_000;
/** A turn that takes longer leaves the rest for another. */
const TURN_MS = 8_000;
/** A user's watchers hear of him once in this time at most. */
const REST_MS = 1_000;
/** An answer may take so long to be made; after it the watcher counts as one who has been shown nothing. */
const PENDING_MS = 5_000;
/** And so long to reach the client: a signal must not overtake it. */
const ANSWER_MS = 500;
/** What a gateway without a lease has left behind is removed where it is found, after this time. */
const LEFT_BEHIND_MS = 60_000;
const TARGETS_PER_SIGNAL = 2_000;

/** A user on his way to his watchers. */
interface Walk {
  readonly state: UserState;
  cursor: string;
  /** Whether he must be looked at again. */
  again: boolean;
  /** Whether it is asked of every watcher what he may see, for that has changed. */
  readonly reviewed: boolean;
  /** How he looks, by sight. */
  readonly looks: Map<Sight, Look>;
}

interface Look {
  readonly presence: Presence;
  readonly form: string;
}

/** Somebody who is to be shown a user. */
interface Candidate {
  readonly walk: Walk;
  readonly watch: Watch;
}

/**
 * Tells watchers how users are, when that is not what they have last been shown. Each watcher's entry says what that was, so a
 * second device says nothing, nor does whatever an invisible user does, and who may see nothing any more is shown it once.
 */
export class FanOut {
  readonly #needs: FanOutNeeds;

  constructor(needs: FanOutNeeds) {
    this.#needs = needs;
  }

  /** Looks at some of the users that may have changed. */
  async turn(): Promise<void> {
    const { queue, view, watches, now } = this.#needs;
    const beganMs = now();
    const userIds = await queue.take(USERS, beganMs, beganMs + TAKEN_MS);
    if (userIds.length === 0) return;
    const again = new Set(userIds);
    try {
      const [states, reviewed] = await Promise.all([view.statesOf(userIds), watches.underReview(userIds)]);
      let walks = states.flatMap((state) => walkOf(state, reviewed.has(state.userId)));
      while (walks.length > 0 && now() - beganMs < TURN_MS) {
        await this.#step(walks);
        for (const walk of walks) if (walk.cursor === "0" && !walk.again) again.delete(walk.state.userId);
        walks = walks.filter(({ cursor }) => cursor !== "0");
      }
    } finally {
      await queue.done(
        userIds.filter((userId) => !again.has(userId)),
        [...again],
        beganMs + REST_MS,
      );
    }
  }

  /** Takes every user on by one part of his watchers. */
  async #step(walks: readonly Walk[]): Promise<void> {
    const { watches, view, now } = this.#needs;
    const candidates: Candidate[] = [];
    const parts = await Promise.all(walks.map(({ state, cursor }) => watches.part(state.userId, cursor)));
    const nowMs = now();
    for (const [index, walk] of walks.entries()) {
      const part = parts[index];
      if (part === undefined) continue;
      walk.cursor = part.cursor;
      for (const watch of part.watches) {
        if (mustWait(watch, nowMs)) walk.again = true;
        else if (mayBeOutOfDate(walk, watch)) candidates.push({ walk, watch });
      }
    }
    if (candidates.length === 0) return;
    const pairs = candidates.map(({ walk, watch }) => ({ viewerId: watch.viewerId, userId: walk.state.userId }));
    await this.#show(candidates, await view.sightsOf(pairs));
  }

  async #show(candidates: readonly Candidate[], sights: readonly Sight[]): Promise<void> {
    const { watches, leases, now } = this.#needs;
    const addresses = await leases.addressesOf(candidates.map(({ watch }) => watch.gatewayId));
    const showings = new Map<string, Showing[]>();
    const parcels = new Map<string, Parcel>();
    const leftBehind = new Map<string, Watch[]>();
    for (const [index, { walk, watch }] of candidates.entries()) {
      const { userId } = walk.state;
      const sight = sights[index] ?? "nothing";
      const { presence, form } = lookOf(walk, sight);
      const showing = { before: watch, after: { ...watch, shown: { kind: "form", sight, form } } } as const;
      const address = addresses.get(watch.gatewayId);
      if (address === undefined) {
        if (now() - watch.sinceMs > LEFT_BEHIND_MS) put(leftBehind, userId, watch);
      } else if (watch.shown.kind === "form" && watch.shown.form === form) {
        if (watch.shown.sight !== sight) put(showings, userId, showing);
      } else {
        const key = `${userId} ${form} ${watch.gatewayId}`;
        const parcel = parcels.get(key) ?? { walk, presence, gatewayId: watch.gatewayId, address, showings: [] };
        parcels.set(key, parcel);
        parcel.showings.push(showing);
      }
    }
    for (const parcel of parcels.values()) {
      for (const sent of this.#send(parcel)) put(showings, parcel.walk.state.userId, sent);
    }
    await watches.show(showings);
    await Promise.all([...leftBehind].map(([userId, left]) => watches.remove(userId, left)));
  }

  /** Gives those that were sent. */
  *#send({ walk, presence, gatewayId, address, showings }: Parcel): Generator<Showing> {
    const { outlet } = this.#needs;
    for (let from = 0; from < showings.length; from += TARGETS_PER_SIGNAL) {
      const part = showings.slice(from, from + TARGETS_PER_SIGNAL);
      const to = part.map(({ before }) => before);
      const instanceId = instanceOf(gatewayId);
      const sent =
        instanceId === undefined
          ? outlet.toGateway({ gatewayId, address }, to, presence)
          : outlet.toStreams(instanceId, to, presence);
      if (sent) yield* part;
      else walk.again = true;
    }
  }
}

/** One signal, or a few. */
interface Parcel {
  readonly walk: Walk;
  readonly presence: Presence;
  readonly gatewayId: string;
  readonly address: string;
  readonly showings: Showing[];
}

/** Whoever's status can't be read is left for later: nobody is told that he is gone. */
function walkOf(state: UserState, reviewed: boolean): Walk[] {
  return state.chosen === undefined ? [] : [{ state, reviewed, cursor: "0", again: false, looks: new Map() }];
}

function mustWait({ shown, sinceMs }: Watch, nowMs: number): boolean {
  if (shown.kind === "unknown") return false;
  return nowMs - sinceMs < (shown.kind === "pending" ? PENDING_MS : ANSWER_MS);
}

/** By what is known without asking: who could see nothing may be able to now. */
function mayBeOutOfDate(walk: Walk, { shown }: Watch): boolean {
  if (walk.reviewed) return true;
  return shown.kind !== "form" || shown.sight === "nothing" || lookOf(walk, shown.sight).form !== shown.form;
}

function lookOf({ state, looks }: Walk, sight: Sight): Look {
  const known = looks.get(sight);
  if (known !== undefined) return known;
  const presence = presenceOf(state, sight);
  const look = { presence, form: formOf(presence) };
  looks.set(sight, look);
  return look;
}

function put<V>(map: Map<string, V[]>, key: string, value: V): void {
  if (!map.get(key)?.push(value)) map.set(key, [value]);
}
