import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Changes, MessageState, Reaction } from "../../src/ports.ts";

const USERS = ["ann", "bob", "cid"];
const EMOJIS = ["👍", "🎉"];

/** Numbers below `n` that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

type Body = NonNullable<Exclude<MessageInitShape<typeof RecordSchema>, { $typeName: string }>["body"]>;

/** A record of the conversation `c`; a message that says its seq unless `body` says otherwise. */
export function recordOf(seq: number, senderUserId = "ann", body: Body = said(`message ${seq}`)): LogRecord {
  const acceptedTime = timestampFromMs(1_700_000_000_000 + seq);
  return create(RecordSchema, {
    conversationId: "c",
    seq: BigInt(seq),
    recordId: `r${seq}`,
    senderUserId,
    acceptedTime,
    body,
  });
}

export const text = (value: string) => ({ kind: { case: "text" as const, value: { text: value } } });
export const said = (value: string): Body => ({ case: "message", value: { content: text(value) } });
export const edit = (target: number, value: string): Body => ({
  case: "edit",
  value: { targetSeq: BigInt(target), content: text(value) },
});
export const recall = (target: number): Body => ({ case: "recall", value: { targetSeq: BigInt(target) } });
export const react = (target: number, emoji: string, removed = false): Body => ({
  case: "reaction",
  value: { targetSeq: BigInt(target), emoji, removed },
});

/** A log of messages and changes of them, at random. */
export function randomLog(random: (n: number) => number, length: number): LogRecord[] {
  const log = [recordOf(1)];
  const messages = [1];
  for (let seq = 2; seq <= length; seq++) {
    const target = messages[random(messages.length)] ?? 1;
    const user = USERS[random(USERS.length)];
    const emoji = EMOJIS[random(EMOJIS.length)] ?? "";
    const kind = random(10);
    if (kind < 2) messages.push(seq);
    if (kind < 2) log.push(recordOf(seq, user));
    else if (kind < 5) log.push(recordOf(seq, user, edit(target, `edited at ${seq}`)));
    else if (kind < 6)
      log.push(recordOf(seq, user, random(3) === 0 ? recall(target) : { case: "membership", value: {} }));
    else log.push(recordOf(seq, user, react(target, emoji, random(3) === 0)));
  }
  return log;
}

/** What the writer makes of these records: the naive way, one after another by seq. */
export function storedChanges(records: readonly LogRecord[]): Changes {
  const states = new Map<bigint, MessageState>();
  const reactions = new Map<string, Reaction>();
  for (const { seq, body, senderUserId: userId, acceptedTime: time } of records.toSorted((a, b) =>
    a.seq < b.seq ? -1 : 1,
  )) {
    if (body.case === "edit" && body.value.content !== undefined) {
      const { targetSeq, content } = body.value;
      const known = states.get(targetSeq);
      states.set(targetSeq, {
        seq: targetSeq,
        recalled: known?.recalled ?? false,
        edit: { seq, time, content, flags: [] },
      });
    } else if (body.case === "recall") {
      const { targetSeq } = body.value;
      states.set(targetSeq, { seq: targetSeq, edit: states.get(targetSeq)?.edit, recalled: true });
    } else if (body.case === "reaction") {
      const { targetSeq, emoji, removed } = body.value;
      reactions.set(`${targetSeq}${emoji}${userId}`, { targetSeq, emoji, userId, seq, removed });
    }
  }
  return { states: [...states.values()], reactions: [...reactions.values()] };
}

/** What a message looks like, for comparison. */
export interface Shown {
  readonly text: string | undefined;
  readonly editedAt: number | undefined;
  readonly recalled: boolean;
  readonly reactions: readonly string[];
}

/** The reference: reads the whole log for one message. */
export function expected(
  log: readonly LogRecord[],
  seq: bigint,
  userId: string,
  mayRead = (_seq: bigint) => true,
): Shown {
  let shown: Shown = { text: `message ${seq}`, editedAt: undefined, recalled: false, reactions: [] };
  let lastEdit: LogRecord | undefined;
  const reacted = new Map<string, LogRecord>();
  for (const record of log) {
    const { body } = record;
    if (body.case === "edit" && body.value.targetSeq === seq) lastEdit = record;
    if (body.case === "recall" && body.value.targetSeq === seq) shown = { ...shown, text: undefined, recalled: true };
    if (body.case === "reaction" && body.value.targetSeq === seq) {
      const key = `${body.value.emoji} ${record.senderUserId}`;
      reacted.delete(key);
      if (!body.value.removed && mayRead(record.seq)) reacted.set(key, record);
    }
  }
  if (shown.recalled) return shown;
  if (lastEdit !== undefined && mayRead(lastEdit.seq))
    shown = { ...shown, text: `edited at ${lastEdit.seq}`, editedAt: Number(lastEdit.seq) };
  const kinds = new Map<string, string[]>();
  for (const key of reacted.keys()) {
    const [emoji = "", user = ""] = key.split(" ");
    kinds.set(emoji, [...(kinds.get(emoji) ?? []), user]);
  }
  const reactions = [...kinds].map(([emoji, users]) => `${emoji} ${users.length} ${users.includes(userId)} ${users}`);
  return { ...shown, reactions };
}

/** What a record that query gives looks like. */
export function shownOf({ body, editedTime, recalled, reactions }: LogRecord): Shown {
  const content = body.case === "message" ? body.value.content?.kind : undefined;
  return {
    text: content?.case === "text" ? content.value.text : undefined,
    editedAt: editedTime === undefined ? undefined : editedTime.nanos / 1e6,
    recalled,
    reactions: reactions.map(({ emoji, count, mine, userIds }) => `${emoji} ${count} ${mine} ${userIds}`),
  };
}
