import type { Groups, Log } from "../ports.ts";
import { membersBefore } from "./roster.ts";

/** The members of a group right after a record of its conversation. */
export interface Roster {
  readonly userIds: readonly string[];
  /** After this record. */
  readonly seq: bigint;
  /** The version of the list; undefined when it is older than any that group could tell. */
  readonly version: bigint | undefined;
  /** When group was last asked, in milliseconds. */
  readonly checkedAt: number;
}

/** Where a record lies. */
export interface Place {
  readonly conversationId: string;
  readonly seq: bigint;
  readonly sequence: number;
}

/** After this time group is asked whether its list is still the same: a safeguard, changes come with the log. */
const CHECK_MS = 60_000;

/**
 * Who was a member when. The list that group gives is that of now, and the log is behind it: what the log has yet to tell
 * is undone first, and then done again at its very record. So nobody gets a record of before he came or after he left,
 * however far behind the log is read. Remembers the groups used last.
 */
export class Rosters {
  readonly #groups: Groups;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #maxIds: number;
  /** The one used last is the last. */
  readonly #known = new Map<string, Roster>();
  #ids = 0;

  constructor(needs: { groups: Groups; log: Log; now: () => number; maxIds: number }) {
    this.#groups = needs.groups;
    this.#log = needs.log;
    this.#now = needs.now;
    this.#maxIds = needs.maxIds;
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.#ids;
  }

  /** The members right before a record. */
  async before(groupId: string, place: Place): Promise<Roster> {
    const known = this.#known.get(groupId);
    if (known !== undefined && (await this.#holds(groupId, known, place))) {
      const roster = { ...known, seq: place.seq - 1n, checkedAt: this.#checkedAt(known, place) };
      this.keep(groupId, roster);
      return roster;
    }
    const roster = await this.#ask(groupId, place);
    this.keep(groupId, roster);
    return roster;
  }

  /** Remembers a roster, unless a later one is known. */
  keep(groupId: string, roster: Roster): void {
    const known = this.#known.get(groupId);
    if (known !== undefined && known.seq > roster.seq) return;
    this.#forget(groupId);
    if (roster.userIds.length > this.#maxIds) return;
    this.#known.set(groupId, roster);
    this.#ids += roster.userIds.length;
    for (const oldest of this.#known.keys()) {
      if (this.#ids <= this.#maxIds) return;
      this.#forget(oldest);
    }
  }

  #forget(groupId: string): void {
    const known = this.#known.get(groupId);
    if (known === undefined) return;
    this.#known.delete(groupId);
    this.#ids -= known.userIds.length;
  }

  /** Whether what is known is right for the place. When records in between went to another process, only group can tell. */
  async #holds(groupId: string, known: Roster, { seq }: Place): Promise<boolean> {
    const gap = seq - known.seq - 1n;
    if (gap < 0n) return false;
    if (gap === 0n && !this.#isOld(known)) return true;
    return known.version !== undefined && (await this.#groups.version(groupId)) === known.version;
  }

  #isOld({ checkedAt }: Roster): boolean {
    return this.#now() - checkedAt > CHECK_MS;
  }

  #checkedAt(known: Roster, { seq }: Place): number {
    return seq === known.seq + 1n && !this.#isOld(known) ? known.checkedAt : this.#now();
  }

  /** The list comes first, the log after it: whatever is in the list and not yet in the log at `place` is then found there. */
  async #ask(groupId: string, { conversationId, seq, sequence }: Place): Promise<Roster> {
    const list = await this.#groups.members(groupId);
    const changes = await this.#log.membershipAfter(conversationId, sequence - 1);
    const userIds = changes.reduceRight(membersBefore, list.userIds);
    const version = changes.length === 0 ? list.version : undefined;
    return { userIds, seq: seq - 1n, version, checkedAt: this.#now() };
  }
}
