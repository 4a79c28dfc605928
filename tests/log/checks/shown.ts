import {
  type CursorMove,
  type Entry,
  type FinalState,
  groupBy,
  type History,
  type Operation,
  type View,
  type Violation,
} from "../history.ts";
import type { Memberships } from "../membership.ts";

/** C6: nobody is shown anything outside his membership, by whichever call. */
export function checkMembership({ views }: History, { lists }: FinalState, memberships: Memberships): Violation[] {
  return [...views, ...lists].flatMap(({ userId, conversationId, via, records }) => {
    const outside = records.filter(({ seq }) => !memberships.allows(conversationId, userId, seq));
    if (outside.length === 0) return [];
    const shown = outside.map(({ seq }) => seq).join();
    const allowed = memberships.of(conversationId, userId).map(({ from, to }) => `${from}–${to ?? ""}`);
    const what = `${via} shows ${userId} ${conversationId}:${shown}; he may read ${allowed.join() || "nothing"}`;
    return [{ check: "C6" as const, what }];
  });
}

/** C5: what was accepted before a read began is readable, and no later answer is older than an earlier one. */
export function checkFreshness(history: History, memberships: Memberships): Violation[] {
  const accepted = groupBy(
    history.operations.flatMap(({ conversationId, tries }) =>
      tries.flatMap(({ ended, outcome }) =>
        outcome.kind === "ok" ? [{ conversationId, ended, seq: outcome.seq }] : [],
      ),
    ),
    ({ conversationId }) => conversationId,
  );
  const violations: Violation[] = [];
  for (const [conversationId, views] of groupBy(history.views, (view) => view.conversationId)) {
    const heads = views.flatMap((view) => headOf(view, memberships));
    const answers = heads.map(({ ended, head, reader }) => ({ ended, seq: head, reader }));
    const writes = (accepted.get(conversationId) ?? []).map(({ ended, seq }) => ({ ended, seq, reader: "" }));
    for (const late of tooOld(heads, [...writes, ...answers])) {
      const what = `${conversationId}: ${late.known} was known before ${late.reader} asked (${late.via}), he got ${late.head}`;
      violations.push({ check: "C5", what });
    }
  }
  return violations;
}

interface HeadSeen {
  readonly began: number;
  readonly ended: number;
  readonly head: number;
  readonly reader: string;
  readonly via: View["via"];
}

/** Only of those who are members from beginning to end: for the others a head is theirs only until they left. */
function headOf({ userId, conversationId, via, began, ended, headSeq }: View, memberships: Memberships): HeadSeen[] {
  const intervals = memberships.of(conversationId, userId);
  if (headSeq === undefined || intervals.length !== 1 || intervals[0]?.to !== undefined) return [];
  return [{ began, ended, head: headSeq, reader: userId, via }];
}

function tooOld(heads: readonly HeadSeen[], known: readonly { ended: number; seq: number; reader: string }[]) {
  const byEnd = [...known].sort((a, b) => a.ended - b.ended);
  const found: (HeadSeen & { known: number })[] = [];
  let next = 0;
  let written = 0;
  const seen = new Map<string, number>();
  for (const head of [...heads].sort((a, b) => a.began - b.began)) {
    for (let one = byEnd[next]; one !== undefined && one.ended < head.began; one = byEnd[++next]) {
      if (one.reader === "") written = Math.max(written, one.seq);
      else seen.set(one.reader, Math.max(seen.get(one.reader) ?? 0, one.seq));
    }
    const due = Math.max(written, seen.get(head.reader) ?? 0);
    if (head.head < due) found.push({ ...head, known: due });
  }
  return found;
}

/** Unread messages are counted up to this number. */
const COUNTED = 999;

/** C7: the read cursor is the highest that was moved to, and unread is what a recount of the log gives. */
export function checkUnread(
  { cursorMoves, operations }: History,
  final: FinalState,
  memberships: Memberships,
): Violation[] {
  const logs = groupBy(final.stream, ({ conversationId }) => conversationId);
  return final.told.flatMap(({ userId, conversationId, unread, readSeq }) => {
    const log = logs.get(conversationId) ?? [];
    const cursor = cursorOf(logs.get(`u_${userId}`) ?? [], conversationId);
    const where = `${conversationId} for ${userId}`;
    const violations: Violation[] = [];
    const moves = cursorMoves.filter((move) => move.userId === userId && move.conversationId === conversationId);
    const promised = Math.max(0, ...moves.map((move) => promisedBy(move, operations)));
    if (readSeq !== cursor || readSeq < promised) {
      const what = `${where}: read up to ${readSeq}, the log says ${cursor}, ${promised} was accepted`;
      violations.push({ check: "C7", what });
    }
    const counted = Math.min(COUNTED, recount(log, userId, cursor, memberships));
    if (unread !== counted) {
      violations.push({ check: "C7", what: `${where}: ${unread} unread, a recount after ${cursor} gives ${counted}` });
    }
    return violations;
  });
}

/** How far an accepted move has moved the cursor at least: what lay beyond the conversation's last record then was cut off. */
function promisedBy({ conversationId, seq, tries }: CursorMove, operations: readonly Operation[]): number {
  const accepted = tries.find(({ outcome }) => outcome.kind === "ok");
  if (accepted === undefined) return 0;
  const before = operations
    .filter((operation) => operation.conversationId === conversationId)
    .flatMap((operation) => operation.tries)
    .map(({ ended, outcome }) => (outcome.kind === "ok" && ended < accepted.began ? outcome.seq : 0));
  return Math.min(seq, Math.max(0, ...before));
}

function cursorOf(userLog: readonly Entry[], conversationId: string): number {
  const seqs = userLog.flatMap(({ fact }) =>
    fact.kind === "read" && fact.conversationId === conversationId ? [fact.seq] : [],
  );
  return Math.max(0, ...seqs);
}

/** Of the current membership: what was said before somebody came back no longer waits for him. */
function recount(log: readonly Entry[], userId: string, cursor: number, memberships: Memberships): number {
  const recalled = new Set(log.flatMap(({ fact }) => (fact.kind === "recall" ? [fact.target] : [])));
  const current = memberships.of(log[0]?.conversationId ?? "", userId).at(-1)?.from ?? 1;
  return log.filter(
    ({ seq, senderUserId, fact }) =>
      fact.kind === "message" && seq > cursor && senderUserId !== userId && !recalled.has(seq) && seq >= current,
  ).length;
}
