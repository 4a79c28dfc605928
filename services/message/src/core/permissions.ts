import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
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

/** What was said about a user and a conversation. */
interface Standing {
  /** Why he may not write. */
  readonly refusal: ServiceError | undefined;
  /** Whether he is one of those who read it. */
  readonly member: boolean;
  /** Unspecified in direct conversations. */
  readonly role: GroupRole;
}

interface Allow {
  readonly until: number;
  readonly role: GroupRole;
}

/**
 * Asks the owner of the rule whether a user may write. An allow counts for a moment; a deny is never remembered, so that who is
 * let in is let in at once. The same question is asked once however many wait for its answer.
 */
export class Permissions {
  readonly #peers: PermissionPeers;
  readonly #clock: Clock;
  readonly #limits: PermissionLimits;
  readonly #allows: RecentMap<Allow>;
  readonly #asking = new Map<string, Promise<Standing>>();

  constructor(peers: PermissionPeers, clock: Clock, limits: PermissionLimits) {
    this.#peers = peers;
    this.#clock = clock;
    this.#limits = limits;
    this.#allows = new RecentMap(limits.remembered);
  }

  /** Undefined when it is known that he may; else a promise that rejects with the reason when he may not. */
  check(
    log: GroupLog | DirectLog,
    userId: string,
    mentionsAll: boolean,
    traceparent: string,
  ): Promise<undefined> | undefined {
    const all = mentionsAll && log.kind === "group";
    if (this.#allow(keyOf(log, userId, all)) !== undefined) return undefined;
    return this.#question(log, userId, all, traceparent).then(({ refusal }) => {
      if (refusal !== undefined) throw refusal;
      return undefined;
    });
  }

  /** His role in the group. Rejects with the reason when he may not write. */
  async role(log: GroupLog, userId: string, traceparent: string): Promise<GroupRole> {
    const allow = this.#allow(keyOf(log, userId, false));
    if (allow !== undefined) return allow.role;
    const { refusal, role } = await this.#question(log, userId, false, traceparent);
    if (refusal !== undefined) throw refusal;
    return role;
  }

  /** Rejects with the reason when he may not read what comes in, as one who is muted may. */
  async checkMember(log: GroupLog | DirectLog, userId: string, traceparent: string): Promise<void> {
    if (log.kind === "direct") {
      if (!log.userIds.includes(userId)) throw errors.notAMember();
      return;
    }
    if (this.#allow(keyOf(log, userId, false)) !== undefined) return;
    const { member, refusal } = await this.#question(log, userId, false, traceparent);
    if (!member) throw refusal ?? errors.notAMember();
  }

  #allow(key: string): Allow | undefined {
    const allow = this.#allows.get(key);
    if (allow === undefined || this.#clock.steady() < allow.until) return allow;
    this.#allows.delete(key);
    return undefined;
  }

  /** Asks; throws OVERLOADED at once when too much is being asked. */
  #question(log: GroupLog | DirectLog, userId: string, all: boolean, traceparent: string): Promise<Standing> {
    const key = keyOf(log, userId, all);
    const open = this.#asking.get(key);
    if (open !== undefined) return open;
    if (this.#asking.size >= this.#limits.asking) throw shared.overloaded("too many permission checks are open");
    const until = this.#clock.steady() + this.#limits.allowMs;
    const asked = this.#ask(log, userId, all, traceparent)
      .then((standing) => {
        if (standing.refusal === undefined) this.#allows.set(key, { until, role: standing.role });
        return standing;
      })
      .finally(() => this.#asking.delete(key));
    this.#asking.set(key, asked);
    return asked;
  }

  async #ask(log: GroupLog | DirectLog, userId: string, all: boolean, traceparent: string): Promise<Standing> {
    if (log.kind === "direct") {
      const verdict = await this.#peers.checkDirect(userId, otherOf(log, userId), traceparent);
      return { refusal: directRefusal(verdict), member: true, role: GroupRole.UNSPECIFIED };
    }
    const { verdict, role } = await this.#peers.checkSend(log.groupId, userId, all, traceparent);
    const refusal = sendRefusal(verdict);
    return { refusal, member: MEMBERS.has(verdict), role };
  }
}

const MEMBERS: ReadonlySet<SendVerdict> = new Set([
  SendVerdict.ALLOWED,
  SendVerdict.MUTED,
  SendVerdict.ALL_MUTED,
  SendVerdict.MAY_NOT_MENTION_ALL,
]);

function keyOf({ id }: GroupLog | DirectLog, userId: string, all: boolean): string {
  return `${id}${all ? "!" : ":"}${userId}`;
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
