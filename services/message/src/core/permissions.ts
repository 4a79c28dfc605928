import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { type ServiceError, shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Clock, PermissionPeers } from "../ports.ts";
import { DirectRevisions, type DirectStamp } from "./direct-revisions.ts";
import { type DirectLog, type GroupLog, otherOf } from "./log.ts";
import { type QuestionLimits, Questions } from "./questions.ts";

/** What was said about a user and a conversation. */
interface Standing {
  /** Why he may not write. */
  readonly refusal: ServiceError | undefined;
  /** Whether he is one of those who read it. */
  readonly member: boolean;
  /** Unspecified in direct conversations. */
  readonly role: GroupRole;
  /** What it depends on; undefined in groups. */
  readonly stamp: DirectStamp | undefined;
}

/** Asks the owner of the rule whether a user may write. */
export class Permissions {
  readonly #peers: PermissionPeers;
  readonly #questions: Questions<Standing>;
  readonly #revisions: DirectRevisions;

  constructor(peers: PermissionPeers, clock: Clock, limits: QuestionLimits) {
    this.#peers = peers;
    this.#questions = new Questions(clock, limits, {
      allows: ({ refusal }) => refusal === undefined,
      confirmedUntil: ({ stamp }) => (stamp === undefined ? 0 : this.#revisions.confirmedUntil(stamp)),
    });
    this.#revisions = new DirectRevisions(peers, clock, limits.allowMs);
  }

  /** Undefined when it is known that he may; else a promise that rejects with the reason when he may not. */
  check(
    log: GroupLog | DirectLog,
    userId: string,
    mentionsAll: boolean,
    traceparent: string,
  ): Promise<undefined> | undefined {
    const all = mentionsAll && log.kind === "group";
    if (this.#questions.known(keyOf(log, userId, all)) !== undefined) return undefined;
    return this.#question(log, userId, all, traceparent).then(({ refusal }) => {
      if (refusal !== undefined) throw refusal;
      return undefined;
    });
  }

  /** His role in the group. Rejects with the reason when he may not write. */
  async role(log: GroupLog, userId: string, traceparent: string): Promise<GroupRole> {
    const allow = this.#questions.known(keyOf(log, userId, false));
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
    if (this.#questions.known(keyOf(log, userId, false)) !== undefined) return;
    const { member, refusal } = await this.#question(log, userId, false, traceparent);
    if (!member) throw refusal ?? errors.notAMember();
  }

  /** Asks again what is in use and will count for less than so many milliseconds; to be called more often than that. */
  renew(withinMs: number): void {
    this.#questions.renew(withinMs);
  }

  /** Has user confirm what is in use of its answers; to be called more often than an answer counts, and never twice at once. */
  confirm(): Promise<void> {
    return this.#revisions.confirm();
  }

  #question(log: GroupLog | DirectLog, userId: string, all: boolean, traceparent: string): Promise<Standing> {
    return this.#questions.ask(keyOf(log, userId, all), traceparent, (trace) => this.#ask(log, userId, all, trace));
  }

  async #ask(log: GroupLog | DirectLog, userId: string, all: boolean, traceparent: string): Promise<Standing> {
    if (log.kind === "direct") {
      const { verdict, ...stamp } = await this.#peers.checkDirect(userId, otherOf(log, userId), traceparent);
      return { refusal: directRefusal(verdict), member: true, role: GroupRole.UNSPECIFIED, stamp };
    }
    const { verdict, role } = await this.#peers.checkSend(log.groupId, userId, all, traceparent);
    const refusal = sendRefusal(verdict);
    return { refusal, member: MEMBERS.has(verdict), role, stamp: undefined };
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
