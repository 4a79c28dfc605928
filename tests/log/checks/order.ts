import {
  type Entry,
  type FinalState,
  groupBy,
  type History,
  type Operation,
  textOf,
  type View,
  type Violation,
} from "../history.ts";
import type { Memberships } from "../membership.ts";

/** C3: seqs are gapless from 1 and each is used once; the store is like the log, and so is what each member reads. */
export function checkPlaces({ views }: History, final: FinalState, memberships: Memberships): Violation[] {
  const logs = groupBy(final.stream, ({ conversationId }) => conversationId);
  const stored = groupBy(final.store, ({ conversationId }) => conversationId);
  const violations: Violation[] = [];
  for (const conversationId of new Set([...logs.keys(), ...stored.keys()])) {
    const log = inOrder(logs.get(conversationId) ?? []);
    const store = inOrder(stored.get(conversationId) ?? []);
    violations.push(
      ...gapless(`${conversationId} in the log`, log),
      ...gapless(`${conversationId} in the store`, store),
    );
    const differing = log.findIndex((entry, index) => !isSame(entry, store[index]));
    if (differing >= 0 || store.length !== log.length) {
      const what = `${conversationId}: the store has ${store.length} records, the log ${log.length}`;
      violations.push({ check: "C3", what: `${what}; the first that differs is ${log[differing]?.seq}` });
    }
  }
  const places = new Map(final.stream.map((entry) => [`${entry.conversationId}:${entry.seq}`, entry]));
  for (const view of [...views, ...final.lists]) violations.push(...checkPage(view, places, memberships));
  for (const list of final.lists) {
    const head = logs.get(list.conversationId)?.length ?? 0;
    const due = memberships.of(list.conversationId, list.userId).flatMap(({ from, to }) => seqs(from, to ?? head));
    if (due.join() !== list.records.map(({ seq }) => seq).join()) {
      const what = `${list.userId} may read ${due.length} records of ${list.conversationId} and reads ${list.records.length}`;
      violations.push({ check: "C3", what });
    }
  }
  return violations;
}

function isSame(entry: Entry, other: Entry | undefined): boolean {
  return entry.recordId === other?.recordId && entry.seq === other.seq && textOf(entry.fact) === textOf(other.fact);
}

function inOrder(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => a.seq - b.seq);
}

function gapless(where: string, entries: readonly Entry[]): Violation[] {
  const wrong = entries.findIndex(({ seq }, index) => seq !== index + 1);
  if (wrong < 0) return [];
  return [{ check: "C3", what: `${where}: ${wrong + 1} is expected, ${entries[wrong]?.seq} comes` }];
}

/** What is shown is what the log has, in its order; a page of the log has no hole. */
function checkPage(view: View, places: ReadonlyMap<string, Entry>, memberships: Memberships): Violation[] {
  const { conversationId, userId, records, covers, via } = view;
  const where = `${via} of ${conversationId} for ${userId}`;
  const violations: Violation[] = [];
  for (const { seq, recordId } of records) {
    const entry = places.get(`${conversationId}:${seq}`);
    if (entry?.recordId !== recordId) {
      violations.push({ check: "C3", what: `${where} shows ${recordId} at ${seq}, the log has ${entry?.recordId}` });
    }
  }
  if (via === "search" || via === "sync" || via === "conversations") return violations;
  const shown = records.map(({ seq }) => seq);
  if (shown.some((seq, index) => index > 0 && seq <= (shown[index - 1] ?? 0))) {
    violations.push({ check: "C3", what: `${where} is out of order: ${shown.join()}` });
  }
  if (covers === undefined || via !== "records") return violations;
  const due = seqs(covers.from, covers.to).filter((seq) => memberships.allows(conversationId, userId, seq));
  const readable = shown.filter((seq) => memberships.allows(conversationId, userId, seq));
  if (due.join() !== readable.join()) {
    violations.push({
      check: "C3",
      what: `${where} has a hole: it covers ${covers.from} to ${covers.to}, shows ${shown.join()}`,
    });
  }
  return violations;
}

function seqs(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** C4: what was accepted before something else was begun lies before it; so does what went before it on one connection. */
export function checkOrder({ operations }: History): Violation[] {
  const violations: Violation[] = [];
  for (const [conversationId, group] of groupBy(operations, (operation) => operation.conversationId)) {
    const resolved = group.flatMap((operation) => resolvedOf(operation));
    violations.push(...checkRealTime(conversationId, resolved));
    const pipelined = resolved.filter(
      ({ operation }) => operation.pipeline !== undefined && operation.tries.length === 1,
    );
    for (const lane of groupBy(pipelined, ({ operation }) => `${operation.pipeline}:${operation.userId}`).values()) {
      const wrong = lane.findIndex(({ seq }, index) => index > 0 && seq <= (lane[index - 1]?.seq ?? 0));
      if (wrong < 0) continue;
      const what = `${conversationId}: sent after what became ${lane[wrong - 1]?.seq}, it became ${lane[wrong]?.seq}`;
      violations.push({ check: "C4", what });
    }
  }
  return violations;
}

interface Resolved {
  readonly operation: Operation;
  readonly began: number;
  readonly ended: number;
  readonly seq: number;
}

/** An operation with its place, from its first try to its first answer. A duplicate's record may be another operation's. */
function resolvedOf(operation: Operation): Resolved[] {
  const answered = operation.tries.find(({ outcome }) => outcome.kind === "ok");
  const began = operation.tries[0]?.began;
  if (answered?.outcome.kind !== "ok" || began === undefined) return [];
  if (operation.key === undefined && answered.outcome.duplicate) return [];
  return [{ operation, began, ended: answered.ended, seq: answered.outcome.seq }];
}

function checkRealTime(conversationId: string, resolved: readonly Resolved[]): Violation[] {
  const byBegin = [...resolved].sort((a, b) => a.began - b.began);
  const byEnd = [...resolved].sort((a, b) => a.ended - b.ended);
  const violations: Violation[] = [];
  let ended = 0;
  let highest = 0;
  for (const { began, seq } of byBegin) {
    for (let next = byEnd[ended]; next !== undefined && next.ended < began; next = byEnd[++ended]) {
      highest = Math.max(highest, next.seq);
    }
    if (seq <= highest) {
      violations.push({ check: "C4", what: `${conversationId}: ${highest} was accepted before ${seq} was begun` });
    }
  }
  return violations;
}
