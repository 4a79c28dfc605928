import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { type ServiceError, shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Clock, PermissionPeers } from "../ports.ts";
import { type DirectLog, type GroupLog, otherOf } from "./log.ts";
import { RecentMap } from "./recent-map.ts";

/** Limits of what is remembered about permissions. */
export interface PermissionLimits {
  /** How long an allow counts, in milliseconds from the moment of asking. */
  readonly allowMs: number;
  /** How many allows are remembered. */
  readonly remembered: number;
  /** How many questions may be open. */
  readonly asking: number;
}

/**
 * Asks the owner of the rule whether a user may write. An allow counts for a moment; a deny is never remembered, so that who is
 * let in is let in at once. The same question is asked once however many wait for its answer.
 */
export class Permissions {
  readonly #peers: PermissionPeers;
  readonly #clock: Clock;
  readonly #limits: PermissionLimits;
  readonly #allowedUntil: RecentMap<number>;
  readonly #asking = new Map<string, Promise<undefined>>();

  constructor(peers: PermissionPeers, clock: Clock, limits: PermissionLimits) {
    this.#peers = peers;
    this.#clock = clock;
    this.#limits = limits;
    this.#allowedUntil = new RecentMap(limits.remembered);
  }

  /** Undefined when it is known that he may; else a promise that rejects with the reason when he may not. */
  check(
    log: GroupLog | DirectLog,
    userId: string,
    mentionsAll: boolean,
    traceparent: string,
  ): Promise<undefined> | undefined {
    const all = mentionsAll && log.kind === "group";
    const key = `${log.id}${all ? "!" : ":"}${userId}`;
    const askedAt = this.#clock.steady();
    const until = this.#allowedUntil.get(key);
    if (until !== undefined) {
      if (askedAt < until) return undefined;
      this.#allowedUntil.delete(key);
    }
    const open = this.#asking.get(key);
    if (open !== undefined) return open;
    if (this.#asking.size >= this.#limits.asking) throw shared.overloaded("too many permission checks are open");
    const asked = this.#ask(log, userId, all, traceparent)
      .then((refusal) => {
        if (refusal !== undefined) throw refusal;
        this.#allowedUntil.set(key, askedAt + this.#limits.allowMs);
        return undefined;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #ask(
    log: GroupLog | DirectLog,
    userId: string,
    all: boolean,
    traceparent: string,
  ): Promise<ServiceError | undefined> {
    return log.kind === "group"
      ? sendRefusal(await this.#peers.checkSend(log.groupId, userId, all, traceparent))
      : directRefusal(await this.#peers.checkDirect(userId, otherOf(log, userId), traceparent));
  }
}

function sendRefusal(verdict: SendVerdict): ServiceError | undefined {
  switch (verdict) {
    case SendVerdict.ALLOWED:
      return undefined;
    case SendVerdict.NOT_A_MEMBER:
      return errors.notAMember();
    case SendVerdict.MUTED:
      return errors.muted();
    case SendVerdict.ALL_MUTED:
      return errors.allMuted();
    case SendVerdict.MAY_NOT_MENTION_ALL:
      return errors.mayNotMentionAll();
    default:
      return shared.internal(new TypeError(`group answered with the verdict ${verdict}`));
  }
}

function directRefusal(verdict: DirectVerdict): ServiceError | undefined {
  switch (verdict) {
    case DirectVerdict.ALLOWED:
      return undefined;
    case DirectVerdict.UNKNOWN_RECIPIENT:
      return errors.userNotFound();
    case DirectVerdict.BLOCKED:
      return errors.blocked();
    case DirectVerdict.NOT_FRIENDS:
      return errors.notFriends();
    default:
      return shared.internal(new TypeError(`user answered with the verdict ${verdict}`));
  }
}
