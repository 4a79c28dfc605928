import type { Change, Group, GroupStore, Member, MemberChange, MemberStore } from "../../src/ports.ts";

/** Groups and members in memory, with the guarantees of the real store. */
export class MemoryStore implements GroupStore, MemberStore {
  readonly groupsById = new Map<string, Group>();
  readonly membersById = new Map<string, Member>();

  async createGroup(group: Group): Promise<boolean> {
    if (this.#created(group) !== undefined) return false;
    this.groupsById.set(group.groupId, group);
    return true;
  }
  async groupByClientId(creatorUserId: string, clientGroupId: string): Promise<Group | undefined> {
    return this.#created({ creatorUserId, clientGroupId });
  }
  async group(groupId: string): Promise<Group | undefined> {
    return this.groupsById.get(groupId);
  }
  async groups(groupIds: readonly string[]): Promise<Group[]> {
    return groupIds.flatMap((id) => this.groupsById.get(id) ?? []);
  }
  async withOpenHistory(groupIds: readonly string[]): Promise<string[]> {
    return groupIds.filter((id) => this.groupsById.get(id)?.settings.openHistory === true);
  }
  async begin({ groupId, lastChangeId }: Group, pending: Change): Promise<boolean> {
    const group = this.groupsById.get(groupId);
    if (group === undefined || group.pending !== undefined || group.lastChangeId !== lastChangeId) return false;
    this.groupsById.set(groupId, { ...group, pending });
    return true;
  }
  async applied(groupId: string, changeId: string, fields: Partial<Group>): Promise<void> {
    const group = this.groupsById.get(groupId);
    if (group?.pending?.changeId !== changeId) return;
    const { pending: _, ...rest } = group;
    this.groupsById.set(groupId, { ...rest, ...fields });
  }
  async abandon(groupId: string, changeId: string): Promise<void> {
    const group = this.groupsById.get(groupId);
    if (group?.pending?.changeId !== changeId) return;
    const { pending: _, ...rest } = group;
    if (group.version === 0n) this.groupsById.delete(groupId);
    else this.groupsById.set(groupId, rest);
  }
  async unfinished(limit: number): Promise<Group[]> {
    return [...this.groupsById.values()].filter(({ pending }) => pending !== undefined).slice(0, limit);
  }
  async unfinishedOf(userIds: readonly string[], limit: number): Promise<Group[]> {
    return (await this.unfinished(limit)).filter(({ pending }) => pending?.touched.some((id) => userIds.includes(id)));
  }

  async addMembers(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      const id = `${member.groupId}:${member.userId}`;
      if (!this.membersById.has(id)) this.membersById.set(id, member);
    }
  }
  async changeMembers(groupId: string, seq: bigint, changes: readonly MemberChange[]): Promise<void> {
    for (const { userId, fields, cameBack } of changes) {
      const member = this.membersById.get(`${groupId}:${userId}`);
      if (member === undefined || (member.changedSeq ?? 0n) >= seq) continue;
      const { toSeq, endTime, ...rest } = member;
      const ends = { ...(toSeq === undefined ? {} : { toSeq }), ...(endTime === undefined ? {} : { endTime }) };
      const changed = { ...rest, ...(cameBack ? {} : ends), ...fields, changedSeq: seq };
      this.membersById.set(`${groupId}:${userId}`, changed);
    }
  }
  async setMember(
    groupId: string,
    userId: string,
    { nickname, mutedUntil }: Parameters<MemberStore["setMember"]>[2],
  ): Promise<Member | undefined> {
    const member = this.membersById.get(`${groupId}:${userId}`);
    if (member === undefined || member.toSeq !== undefined) return undefined;
    const { mutedUntil: before, ...rest } = member;
    const mute = mutedUntil === undefined ? before : (mutedUntil ?? undefined);
    const changed = {
      ...rest,
      nickname: nickname ?? rest.nickname,
      ...(mute === undefined ? {} : { mutedUntil: mute }),
    };
    this.membersById.set(`${groupId}:${userId}`, changed);
    return changed;
  }
  async member(groupId: string, userId: string): Promise<Member | undefined> {
    return this.membersById.get(`${groupId}:${userId}`);
  }
  async membersOf(groupId: string, userIds: readonly string[]): Promise<Member[]> {
    return userIds.flatMap((userId) => this.membersById.get(`${groupId}:${userId}`) ?? []);
  }
  async members(groupId: string, afterUserId: string, limit: number): Promise<Member[]> {
    return this.#found("userId", limit, (member) => {
      return member.toSeq === undefined && member.groupId === groupId && member.userId > afterUserId;
    });
  }
  async memberIds(groupId: string, afterUserId: string, limit: number): Promise<string[]> {
    return (await this.members(groupId, afterUserId, limit)).map(({ userId }) => userId);
  }
  async memberships(userId: string, afterGroupId: string, limit: number): Promise<Member[]> {
    return this.#found("groupId", limit, (member) => {
      return member.toSeq === undefined && member.userId === userId && member.groupId > afterGroupId;
    });
  }
  async endedMemberships(userId: string, since: Date, afterGroupId: string, limit: number): Promise<Member[]> {
    return this.#found("groupId", limit, ({ endTime, groupId, ...member }) => {
      return endTime !== undefined && endTime >= since && member.userId === userId && groupId > afterGroupId;
    });
  }
  async membershipsOfUsers(userIds: readonly string[], limit: number): Promise<Member[]> {
    return this.#found("userId", limit, ({ toSeq, userId }) => toSeq === undefined && userIds.includes(userId));
  }
  async endedMembershipsOfUsers(userIds: readonly string[], since: Date, limit: number): Promise<Member[]> {
    return this.#found("userId", limit, ({ endTime, userId }) => {
      return endTime !== undefined && endTime >= since && userIds.includes(userId);
    });
  }

  #created({ creatorUserId, clientGroupId }: Pick<Group, "creatorUserId" | "clientGroupId">): Group | undefined {
    return [...this.groupsById.values()].find(
      (group) => group.creatorUserId === creatorUserId && group.clientGroupId === clientGroupId,
    );
  }

  #found(by: "userId" | "groupId", limit: number, which: (member: Member) => boolean): Member[] {
    const found = [...this.membersById.values()].filter(which);
    return found.sort((a, b) => (a[by] < b[by] ? -1 : 1)).slice(0, limit);
  }
}
