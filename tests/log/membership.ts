import { type Entry, groupBy } from "./history.ts";

/** A stretch of seqs that a user may read, both ends included; without `to` as long as the membership lasts. */
export interface Interval {
  readonly from: number;
  readonly to: number | undefined;
}

/** Who may read what, as the log's own records of membership say. */
export class Memberships {
  /** By conversation, then by user. */
  readonly #intervals = new Map<string, ReadonlyMap<string, readonly Interval[]>>();

  constructor(entries: readonly Entry[], openHistory: ReadonlySet<string> = new Set()) {
    for (const [conversationId, records] of groupBy(entries, (entry) => entry.conversationId)) {
      if (conversationId.startsWith("g_")) {
        this.#intervals.set(conversationId, intervalsOf(records, openHistory.has(conversationId)));
      }
    }
  }

  of(conversationId: string, userId: string): readonly Interval[] {
    if (!conversationId.startsWith("d_")) return this.#intervals.get(conversationId)?.get(userId) ?? [];
    return conversationId.slice(2).split("_").includes(userId) ? [{ from: 1, to: undefined }] : [];
  }

  allows(conversationId: string, userId: string, seq: number): boolean {
    return this.of(conversationId, userId).some(({ from, to }) => seq >= from && (to === undefined || seq <= to));
  }

  /** Whoever is or was a member of a group. */
  usersOf(conversationId: string): string[] {
    if (conversationId.startsWith("d_")) return conversationId.slice(2).split("_");
    return [...(this.#intervals.get(conversationId)?.keys() ?? [])];
  }

  /** Those who are members now. */
  membersOf(conversationId: string): string[] {
    return this.usersOf(conversationId).filter((userId) => this.isMember(conversationId, userId));
  }

  isMember(conversationId: string, userId: string): boolean {
    return this.of(conversationId, userId).some(({ to }) => to === undefined);
  }
}

function intervalsOf(records: readonly Entry[], openHistory: boolean): Map<string, Interval[]> {
  const intervals = new Map<string, Interval[]>();
  for (const { seq, fact } of [...records].sort((a, b) => a.seq - b.seq)) {
    if (fact.kind !== "membership") continue;
    for (const userId of fact.joined) {
      const known = intervals.get(userId) ?? [];
      if (known.at(-1)?.to === undefined && known.length > 0) continue;
      if (openHistory) intervals.set(userId, [{ from: 1, to: undefined }]);
      else intervals.set(userId, [...known, { from: seq, to: undefined }]);
    }
    for (const userId of fact.left) {
      const known = intervals.get(userId) ?? [];
      const last = known.at(-1);
      if (last?.to === undefined && last !== undefined) {
        intervals.set(userId, [...known.slice(0, -1), { from: last.from, to: seq }]);
      }
    }
  }
  return intervals;
}
