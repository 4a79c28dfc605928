import type { Head, UserConversation } from "../ports.ts";
import type { WritableEntry } from "./entry.ts";

/** How far each log of a batch has come, once per log: its last record, and the furthest marks. */
export function headsOf(entries: readonly WritableEntry[]): Head[] {
  const heads = new Map<string, Head>();
  for (const entry of entries) {
    const { conversationId } = entry.row;
    const known = heads.get(conversationId);
    heads.set(conversationId, known === undefined ? headAt(entry) : furthest(known, headAt(entry)));
  }
  return [...heads.values()];
}

function headAt({ row, record: { body } }: WritableEntry): Head {
  const { conversationId, seq, streamSequence, acceptedTime, record, mentionsAll } = row;
  return {
    conversationId,
    headSeq: seq,
    streamSequence,
    lastTime: acceptedTime,
    lastRecord: record,
    lastRecalledSeq: body.case === "recall" ? body.value.targetSeq : undefined,
    lastMentionAllSeq: mentionsAll ? seq : undefined,
  };
}

function furthest(one: Head, other: Head): Head {
  return {
    ...(one.headSeq < other.headSeq ? other : one),
    lastRecalledSeq: higher(one.lastRecalledSeq, other.lastRecalledSeq),
    lastMentionAllSeq: higher(one.lastMentionAllSeq, other.lastMentionAllSeq),
  };
}

/** The last activity of each direct conversation, for both users. */
export function userConversationsOf(entries: readonly WritableEntry[]): UserConversation[] {
  const last = new Map<string, WritableEntry>();
  for (const entry of entries) {
    if (entry.directUserIds.length === 0) continue;
    const known = last.get(entry.row.conversationId);
    if (known === undefined || known.row.seq < entry.row.seq) last.set(entry.row.conversationId, entry);
  }
  return [...last.values()].flatMap(({ row, directUserIds }) =>
    directUserIds.map((userId) => ({
      userId,
      conversationId: row.conversationId,
      lastTime: row.acceptedTime,
      streamSequence: row.streamSequence,
    })),
  );
}

function higher(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? other : one;
}
