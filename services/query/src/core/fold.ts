import { clone, create } from "@bufbuild/protobuf";
import {
  type Record as LogRecord,
  type ReactionCount,
  ReactionCountSchema,
  RecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Changes, Edit, MessageState, Reaction } from "../ports.ts";

/** Users of a reaction that are named. */
const USERS_NAMED = 10;

/** Who reads, and which records he may read. */
export interface Reader {
  readonly userId: string;
  mayRead(seq: bigint): boolean;
}

/** What has become of messages. */
export interface Standing {
  readonly states: ReadonlyMap<bigint, MessageState>;
  /** By message. */
  readonly reactions: ReadonlyMap<bigint, readonly Reaction[]>;
}

/** Whether a record is nothing but a change of another one. */
export function isChange({ body }: LogRecord): boolean {
  return body.case === "edit" || body.case === "recall" || body.case === "reaction";
}

/**
 * Puts together what the store knows and what the log's newest records change. They may overlap, in any order: the highest seq
 * wins.
 */
export function standingOf(stored: Changes, newest: readonly LogRecord[]): Standing {
  const states = new Map(stored.states.map((state) => [state.seq, state]));
  const reactions = new Map(stored.reactions.map((reaction) => [keyOf(reaction), reaction]));
  for (const record of newest) {
    if (record.body.case === "reaction") addReaction(reactions, record);
    else addToState(states, record);
  }
  const byMessage = new Map<bigint, Reaction[]>();
  for (const reaction of reactions.values()) {
    const known = byMessage.get(reaction.targetSeq);
    if (known === undefined) byMessage.set(reaction.targetSeq, [reaction]);
    else known.push(reaction);
  }
  return { states, reactions: byMessage };
}

function keyOf({ targetSeq, emoji, userId }: Reaction): string {
  return `${targetSeq}:${emoji}:${userId}`;
}

function addReaction(reactions: Map<string, Reaction>, { body, seq, senderUserId: userId }: LogRecord): void {
  if (body.case !== "reaction") return;
  const { targetSeq, emoji, removed } = body.value;
  const reaction = { targetSeq, emoji, userId, seq, removed };
  const known = reactions.get(keyOf(reaction));
  if (known === undefined || known.seq < seq) reactions.set(keyOf(reaction), reaction);
}

function addToState(states: Map<bigint, MessageState>, { body, seq, acceptedTime }: LogRecord): void {
  if (body.case === "recall") {
    const target = body.value.targetSeq;
    states.set(target, { ...(states.get(target) ?? untouched(target)), recalled: true });
  } else if (body.case === "edit" && body.value.content !== undefined) {
    const { targetSeq: target, content, flags } = body.value;
    const known = states.get(target) ?? untouched(target);
    if ((known.edit?.seq ?? 0n) < seq)
      states.set(target, { ...known, edit: { seq, time: acceptedTime, content, flags } });
  }
}

function untouched(seq: bigint): MessageState {
  return { seq, edit: undefined, recalled: false };
}

/**
 * A message as it stands for a reader; other records are as they are. An edit or reaction whose record he may not read doesn't
 * exist for him. A recall does: it takes away.
 */
export function asItStands(record: LogRecord, standing: Standing, reader: Reader): LogRecord {
  if (record.body.case !== "message") return record;
  const state = standing.states.get(record.seq);
  const reactions = standing.reactions.get(record.seq);
  if (state === undefined && reactions === undefined) return record;
  const shown = clone(RecordSchema, record);
  if (state?.recalled) {
    shown.recalled = true;
    if (shown.body.case === "message") delete shown.body.value.content;
    return shown;
  }
  if (state?.edit !== undefined && reader.mayRead(state.edit.seq)) setEdit(shown, state.edit);
  shown.reactions = countReactions(reactions ?? [], reader);
  return shown;
}

function setEdit(shown: LogRecord, { time, content, flags }: Edit): void {
  if (shown.body.case === "message") {
    shown.body.value.content = content;
    shown.body.value.flags = [...flags];
  }
  if (time !== undefined) shown.editedTime = time;
}

function countReactions(reactions: readonly Reaction[], reader: Reader): ReactionCount[] {
  const present = reactions.filter(({ removed, seq }) => !removed && reader.mayRead(seq));
  present.sort((a, b) => (a.seq < b.seq ? -1 : 1));
  const counts = new Map<string, ReactionCount>();
  for (const { emoji, userId } of present) {
    const count = counts.get(emoji) ?? create(ReactionCountSchema, { emoji });
    counts.set(emoji, count);
    count.count++;
    if (userId === reader.userId) count.mine = true;
    if (count.userIds.length < USERS_NAMED) count.userIds.push(userId);
  }
  return [...counts.values()];
}
