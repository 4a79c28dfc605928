import { heardLater } from "@oceanchat/runtime/heard-later";
import type { Clock, PermissionPeers, ReadInterval } from "../ports.ts";
import type { DirectLog, GroupLog } from "./log.ts";
import { type QuestionLimits, Questions } from "./questions.ts";

type Intervals = readonly ReadInterval[];

/**
 * Asks the owner of the rule which records of a conversation a user may read. A membership that lasts counts for a moment; that
 * something lies outside of it is asked again.
 */
export class Reading {
  readonly #peers: PermissionPeers;
  readonly #questions: Questions<Intervals>;

  constructor(peers: PermissionPeers, clock: Clock, limits: QuestionLimits) {
    this.#peers = peers;
    this.#questions = new Questions(clock, limits, {
      allows: (intervals) => intervals.some(({ toSeq }) => toSeq === 0n),
      confirmedUntil: () => 0,
    });
  }

  /** Begins to ask, so that the answer is there or on its way when it is needed. Its failure shows then. */
  prepare(log: GroupLog | DirectLog, userId: string, traceparent: string): void {
    if (log.kind === "direct" || this.#questions.known(keyOf(log, userId)) !== undefined) return;
    heardLater(this.#ask(log, userId, traceparent));
  }

  /** Whether a user may read that record, if it exists. */
  async mayRead(log: GroupLog | DirectLog, userId: string, seq: bigint, traceparent: string): Promise<boolean> {
    return this.#says(log, userId, traceparent, (intervals) =>
      intervals.some(({ fromSeq, toSeq }) => fromSeq <= seq && (toSeq === 0n || seq <= toSeq)),
    );
  }

  /** Whether a user may read anything of a conversation, as one who has left may. */
  async isReader(log: GroupLog | DirectLog, userId: string, traceparent: string): Promise<boolean> {
    return this.#says(log, userId, traceparent, (intervals) => intervals.length > 0);
  }

  async #says(
    log: GroupLog | DirectLog,
    userId: string,
    traceparent: string,
    allow: (intervals: Intervals) => boolean,
  ): Promise<boolean> {
    if (log.kind === "direct") return log.userIds.includes(userId);
    const known = this.#questions.known(keyOf(log, userId));
    return (known !== undefined && allow(known)) || allow(await this.#ask(log, userId, traceparent));
  }

  async #ask(log: GroupLog, userId: string, traceparent: string): Promise<Intervals> {
    return this.#questions.ask(keyOf(log, userId), traceparent, (trace) =>
      this.#peers.checkRead(log.groupId, userId, trace),
    );
  }
}

function keyOf({ id }: GroupLog, userId: string): string {
  return `${id}:${userId}`;
}
