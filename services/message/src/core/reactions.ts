import { create } from "@bufbuild/protobuf";
import type { ReactRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { type ReactionBody, ReactionBodySchema, type Record } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { RecentMap } from "@oceanchat/runtime/recent-map";
import { errors } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Appended, Draft } from "./append.ts";
import {
  type MessageSender,
  permittedTarget,
  recordOf,
  type TargetCommand,
  targetCommand,
  type WriteContext,
} from "./writing.ts";

/** For how long what was added here counts beside what the store says, which may be behind. */
const ADDED_MS = 60_000;
/** How many records behind a reaction are looked through for a later one. */
const MAX_LATER = 200;
const READ_MS = 2000;

/** A user's last reaction of one kind to a message. */
interface State {
  readonly record: Record;
  readonly streamSequence: number;
}

/**
 * Reactions have no key of the client's, so that one can be added, withdrawn and added again. A repeat of the same state is
 * recognised by what is remembered here, if no other instance has changed it meanwhile; when it is forgotten there is another
 * record of the same state, which readers fold away.
 */
export class Reactions {
  readonly #context: WriteContext;
  /** By message, user and emoji. */
  readonly #states: RecentMap<State>;
  /** Of each message the kinds that were added here lately, and when. */
  readonly #added: RecentMap<Map<string, number>>;

  constructor(context: WriteContext, remembered: number) {
    this.#context = context;
    this.#states = new RecentMap(remembered);
    this.#added = new RecentMap(remembered);
  }

  /** Checks a reaction. What has to be asked for is being asked when this returns. */
  draft(
    sender: MessageSender,
    request: Pick<ReactRequest, "conversationId" | "recordId" | "emoji" | "removed">,
    traceparent: string,
  ): Draft {
    const command = targetCommand(sender, request);
    const { emoji, removed } = request;
    const record = recordOf(this.#context, command.log, sender, command.userId);
    const body = create(ReactionBodySchema, { emoji, removed });
    record.body = { case: "reaction", value: body };
    let stored: readonly string[] = [];
    const ready = async () => {
      const target = await permittedTarget(this.#context, command, false, traceparent);
      body.targetSeq = target.seq;
      if (!removed && !this.#isKind(command, emoji)) {
        stored = await this.#context.store.reactionKinds(
          command.log.id,
          target.seq,
          this.#context.limits.reactionKinds,
        );
      }
      return undefined;
    };
    return {
      log: command.log,
      messageId: `${command.userId}:react:${record.recordId}`,
      record,
      ready: heardLater(ready()),
      instead: async () => {
        const earlier = await this.#earlier(command, body);
        if (earlier === undefined && !removed) this.#checkKinds(command, emoji, stored);
        return earlier;
      },
      appended: (durable, streamSequence) => this.#note(command, emoji, removed, { record: durable, streamSequence }),
      traceparent,
    };
  }

  /** The reaction that is in the asked state already. */
  async #earlier(command: TargetCommand, body: ReactionBody): Promise<Appended | undefined> {
    const key = stateKey(command, body.emoji);
    const state = this.#states.get(key);
    if (state === undefined) return undefined;
    if (!isThat(state.record, command.userId, body, body.removed)) return undefined;
    const { stream } = this.#context;
    const later = await stream.from(command.log.id, state.streamSequence + 1, MAX_LATER + 1, READ_MS);
    const last = later.findLast(({ record }) => isThat(record, command.userId, body)) ?? state;
    const same = isThat(last.record, command.userId, body, body.removed);
    if (same && later.length <= MAX_LATER) return { record: last.record, duplicate: true };
    // Another instance has changed it, or may have.
    this.#states.delete(key);
    return undefined;
  }

  #note({ userId, log, recordId }: TargetCommand, emoji: string, removed: boolean, state: State): void {
    this.#states.set(stateKey({ userId, log, recordId }, emoji), state);
    const added = this.#added.get(recordId) ?? new Map<string, number>();
    if (removed) added.delete(emoji);
    else added.set(emoji, this.#context.clock.steady());
    forgetOld(added, this.#context.clock);
    if (added.size === 0) this.#added.delete(recordId);
    else this.#added.set(recordId, added);
  }

  #isKind({ recordId }: TargetCommand, emoji: string): boolean {
    const at = this.#added.get(recordId)?.get(emoji);
    return at !== undefined && isYoung(at, this.#context.clock);
  }

  #checkKinds(command: TargetCommand, emoji: string, stored: readonly string[]): void {
    if (this.#isKind(command, emoji)) return;
    const kinds = new Set(stored);
    for (const [kind, at] of this.#added.get(command.recordId) ?? []) {
      if (isYoung(at, this.#context.clock)) kinds.add(kind);
    }
    const limit = this.#context.limits.reactionKinds;
    if (!kinds.has(emoji) && kinds.size >= limit) throw errors.tooManyReactions(limit);
  }
}

function stateKey({ userId, recordId }: TargetCommand, emoji: string): string {
  return `${recordId}:${userId}:${emoji}`;
}

/** Whether a record is the user's reaction of that kind to that message, in that state if one is given. */
function isThat({ senderUserId, body }: Record, userId: string, wanted: ReactionBody, removed?: boolean): boolean {
  if (body.case !== "reaction" || senderUserId !== userId) return false;
  const { targetSeq, emoji } = body.value;
  if (targetSeq !== wanted.targetSeq || emoji !== wanted.emoji) return false;
  return removed === undefined || body.value.removed === removed;
}

function isYoung(at: number, clock: Clock): boolean {
  return clock.steady() - at < ADDED_MS;
}

function forgetOld(added: Map<string, number>, clock: Clock): void {
  for (const [kind, at] of added) {
    if (!isYoung(at, clock)) added.delete(kind);
  }
}
