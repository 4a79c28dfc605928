import type { Groups, LimitedMemberList } from "../ports.ts";

/** What is remembered of the members of groups. */
export interface CurrentMembersLimits {
  /** Larger groups are not read. */
  readonly members: number;
  /** How long a list counts as the current one, in milliseconds from the moment of asking. */
  readonly freshMs: number;
  /** How many groups are remembered. */
  readonly groups: number;
  /** How many ids of members are remembered, over all groups. */
  readonly ids: number;
}

interface Known extends LimitedMemberList {
  readonly askedAt: number;
}

/**
 * The members of groups as they are now, for what has no place in the log: whoever has left is told nothing a moment later.
 * Remembers the groups used last; whether a list is still the current one is a small question.
 */
export class CurrentMembers {
  readonly #groups: Groups;
  readonly #now: () => number;
  readonly #limits: CurrentMembersLimits;
  /** The one used last is the last. */
  readonly #known = new Map<string, Known>();
  #ids = 0;

  constructor(needs: { readonly groups: Groups; readonly now: () => number }, limits: CurrentMembersLimits) {
    this.#groups = needs.groups;
    this.#now = needs.now;
    this.#limits = limits;
  }

  /** How many ids are remembered. */
  get size(): number {
    return this.#ids;
  }

  /** All members; undefined when there are more than the limit. Rejects when group can't be asked. */
  async of(groupId: string): Promise<readonly string[] | undefined> {
    const askedAt = this.#now();
    const known = this.#known.get(groupId);
    if (known !== undefined && askedAt - known.askedAt < this.#limits.freshMs) return known.userIds;
    if (known !== undefined && (await this.#groups.version(groupId)) === known.version) {
      this.#keep(groupId, { ...known, askedAt });
      return known.userIds;
    }
    const list = await this.#groups.membersUpTo(groupId, this.#limits.members);
    this.#keep(groupId, { ...list, askedAt });
    return list.userIds;
  }

  #keep(groupId: string, known: Known): void {
    this.#forget(groupId);
    this.#known.set(groupId, known);
    this.#ids += known.userIds?.length ?? 0;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limits.groups && this.#ids <= this.#limits.ids) return;
      this.#forget(oldest);
    }
  }

  #forget(groupId: string): void {
    const known = this.#known.get(groupId);
    if (known === undefined) return;
    this.#known.delete(groupId);
    this.#ids -= known.userIds?.length ?? 0;
  }
}
