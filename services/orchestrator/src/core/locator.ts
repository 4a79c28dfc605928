import type { Connection } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { inTurns } from "@oceanchat/runtime/in-turns";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import type { Answer, Presence, Question } from "../ports.ts";
import { KnownGateways, type KnownUser, type Located, locatedOf } from "./known-users.ts";

/** Where users are connected. */
export interface Locations {
  /** A user's connections on living gateways, in an order that is the same each time. */
  of(userId: string): readonly Located[];
  /** Where a gateway's mesh door is. */
  addressOf(gatewayId: string): string;
}

/** What finding out takes. */
export interface LocatorNeeds {
  readonly presence: Presence;
  /** Milliseconds since any moment. */
  readonly now: () => number;
  /** Calls back after some milliseconds; returns what prevents it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/** What is asked besides users. */
type Check = Pick<Question, "slots" | "gatewayIds">;

interface Want {
  readonly userIds: ReadonlySet<string>;
  readonly resolve: (locations: Locations) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_ASKED = 1000;
const CALLS_AT_ONCE = 4;
/** Rounds at the same time at most: more than one only while presence is slow. */
const MAX_ROUNDS = 4;
/** What comes while a round runs waits for its end, but no longer than this, in milliseconds: another presence may be quicker. */
const PATIENCE_MS = 20;
/** How many users are remembered at most, and half of them at least; about 400 bytes each. */
const MAX_KNOWN = 100_000;
const NOWHERE: readonly Located[] = [];
const NOTHING: Check = { slots: [], gatewayIds: [] };

/**
 * Where users are. Those who ask at the same time are answered by one question; what was answered before counts as long as presence says,
 * with each question, that no connection has come since (the stamps of `Found`). So nobody is missing who was connected, as
 * presence knows it, when `locate` was called.
 */
export class Locator {
  readonly #needs: LocatorNeeds;
  /** Those asked for last. */
  readonly #users = new RecentMap<KnownUser>(MAX_KNOWN);
  readonly #gateways: KnownGateways;
  #waiting: Want[] = [];
  #rounds = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(needs: LocatorNeeds) {
    this.#needs = needs;
    this.#gateways = new KnownGateways(needs.now);
  }

  /** Rejects when presence can't be asked, or doesn't know at the moment whether somebody who seems to be gone is. */
  locate(userIds: ReadonlySet<string>): Promise<Locations> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ userIds, resolve, reject });
      if (this.#waiting.length > 1) return;
      // Who comes in the same turn is asked for together.
      if (this.#rounds === 0) queueMicrotask(() => this.#begin());
      else this.#cancelTimer ??= this.#needs.after(PATIENCE_MS, () => this.#begin());
    });
  }

  #begin(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#waiting.length === 0 || this.#rounds >= MAX_ROUNDS) return;
    const wants = this.#waiting;
    this.#waiting = [];
    this.#rounds++;
    void this.#answer(wants).then(() => {
      this.#rounds--;
      this.#begin();
    });
  }

  /** Never rejects. */
  async #answer(wants: readonly Want[]): Promise<void> {
    try {
      const [first, ...others] = wants.map(({ userIds }) => userIds);
      const all =
        others.length === 0 && first !== undefined ? first : new Set(wants.flatMap(({ userIds }) => [...userIds]));
      const { known, rebuilding } = await this.#find(all);
      const locations = this.#locationsIn(known);
      for (const { userIds, resolve, reject } of wants) {
        // Nobody is taken for gone who has only not been reported again yet: he would be told by his phone and get no push.
        if (rebuilding && userIds.values().some((userId) => locations.of(userId).length === 0)) {
          reject(shared.unavailable("presence is being told again who is connected"));
        } else resolve(locations);
      }
    } catch (error) {
      for (const { reject } of wants) reject(error);
    }
  }

  /** Asks about those who aren't known, and whether the others are as they were. */
  async #find(userIds: ReadonlySet<string>): Promise<{ known: ReadonlyMap<string, KnownUser>; rebuilding: boolean }> {
    const known = new Map<string, KnownUser>();
    const unknown: string[] = [];
    for (const userId of userIds) {
      const user = this.#users.use(userId);
      if (user === undefined) unknown.push(userId);
      else known.set(userId, user);
    }
    const stamps = new Map<number, string>();
    const found = new Map<string, KnownUser>();
    let rebuilding = await this.#ask(unknown, found, this.#toCheck(known.values()), stamps);
    const changed: string[] = [];
    for (const [userId, user] of known) if (stamps.get(user.slot) !== user.stamp) changed.push(userId);
    // Mostly everybody is known and nothing has changed: then this is the answer as it stands.
    for (const [userId, user] of found) known.set(userId, user);
    if (changed.length > 0) rebuilding = await this.#ask(changed, known);
    return { known, rebuilding };
  }

  /** What has to be true still for what is known to count. */
  #toCheck(users: Iterable<KnownUser>): Check {
    const slots = new Set<number>();
    const gatewayIds = new Set<string>();
    for (const { slot, connections } of users) {
      slots.add(slot);
      for (const { gatewayId } of connections) if (!this.#gateways.isFresh(gatewayId)) gatewayIds.add(gatewayId);
    }
    // There are 256 slots. With more gateways than can be asked for the others are, with the next question.
    return { slots: [...slots], gatewayIds: [...gatewayIds].slice(0, MAX_ASKED) };
  }

  /** Asks for users by the thousand; the first question carries what else is to be asked. Gives whether users may be missing. */
  async #ask(
    userIds: readonly string[],
    found: Map<string, KnownUser>,
    check: Check = NOTHING,
    stamps = new Map<number, string>(),
  ): Promise<boolean> {
    let rebuilding = false;
    const questions = Array.from({ length: Math.max(1, Math.ceil(userIds.length / MAX_ASKED)) }, (_, part) => ({
      userIds: userIds.slice(part * MAX_ASKED, (part + 1) * MAX_ASKED),
      ...(part === 0 ? check : NOTHING),
    }));
    await inTurns(questions, CALLS_AT_ONCE, async (question) => {
      const answer = await this.#needs.presence.find(question);
      rebuilding ||= answer.rebuilding;
      for (const [index, slot] of question.slots.entries()) stamps.set(slot, answer.stamps[index] ?? "");
      this.#hear(question.gatewayIds, answer);
      for (const [userId, user] of usersOf(question.userIds, answer)) {
        found.set(userId, user);
        // Without a stamp nothing could say that it is still so.
        if (user.stamp !== "") this.#users.set(userId, user);
      }
    });
    return rebuilding;
  }

  /** A gateway that was asked for and isn't named doesn't live. */
  #hear(gatewayIds: readonly string[], { connections, gateways }: Answer): void {
    const living = new Map(gateways.map(({ gatewayId, address }) => [gatewayId, address]));
    for (const gatewayId of new Set([...gatewayIds, ...connections.map((each) => each.gatewayId)])) {
      this.#gateways.set(gatewayId, living.get(gatewayId));
    }
  }

  #locationsIn(found: ReadonlyMap<string, KnownUser>): Locations {
    const gateways = this.#gateways;
    const lives = ({ gatewayId }: Located) => gateways.addressOf(gatewayId) !== undefined;
    return {
      of(userId) {
        const connections = found.get(userId)?.connections ?? NOWHERE;
        return connections.every(lives) ? connections : connections.filter(lives);
      },
      addressOf: (gatewayId) => gateways.addressOf(gatewayId) ?? "",
    };
  }
}

function usersOf(userIds: readonly string[], { connections, userSlots, userStamps }: Answer): [string, KnownUser][] {
  const ofUser = new Map<string, Connection[]>();
  for (const connection of connections) {
    const several = ofUser.get(connection.userId);
    if (several === undefined) ofUser.set(connection.userId, [connection]);
    else several.push(connection);
  }
  return userIds.map((userId, index) => [
    userId,
    {
      slot: userSlots[index] ?? 0,
      stamp: userStamps[index] ?? "",
      connections: locatedOf(ofUser.get(userId) ?? []),
    },
  ]);
}
