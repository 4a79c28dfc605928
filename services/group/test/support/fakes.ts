import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CreateGroupRequestSchema } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { createGroupCore } from "../../src/core.ts";
import type { Conversations, Group, GroupStore, Member, MemberStore, Origin } from "../../src/ports.ts";

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
  async created(groupId: string): Promise<void> {
    const group = this.groupsById.get(groupId);
    if (group === undefined) return;
    const { pendingMemberIds: _, ...rest } = group;
    this.groupsById.set(groupId, rest);
  }
  async unfinished(limit: number): Promise<Group[]> {
    return [...this.groupsById.values()].filter((group) => group.pendingMemberIds !== undefined).slice(0, limit);
  }
  async addMembers(members: readonly Member[]): Promise<void> {
    for (const member of members) {
      const id = `${member.groupId}:${member.userId}`;
      if (!this.membersById.has(id)) this.membersById.set(id, member);
    }
  }
  async member(groupId: string, userId: string): Promise<Member | undefined> {
    return this.membersById.get(`${groupId}:${userId}`);
  }
  async members(groupId: string, afterUserId: string, limit: number): Promise<Member[]> {
    return this.#lasting("userId", (member) => member.groupId === groupId && member.userId > afterUserId, limit);
  }
  async memberIds(groupId: string, afterUserId: string, limit: number): Promise<string[]> {
    return (await this.members(groupId, afterUserId, limit)).map(({ userId }) => userId);
  }
  async memberships(userId: string, afterGroupId: string, limit: number): Promise<Member[]> {
    return this.#lasting("groupId", (member) => member.userId === userId && member.groupId > afterGroupId, limit);
  }

  #created({ creatorUserId, clientGroupId }: Pick<Group, "creatorUserId" | "clientGroupId">): Group | undefined {
    return [...this.groupsById.values()].find(
      (group) => group.creatorUserId === creatorUserId && group.clientGroupId === clientGroupId,
    );
  }

  #lasting(by: "userId" | "groupId", which: (member: Member) => boolean, limit: number): Member[] {
    return [...this.membersById.values()]
      .filter((member) => member.toSeq === undefined && which(member))
      .sort((a, b) => (a[by] < b[by] ? -1 : 1))
      .slice(0, limit);
  }
}

/** A log that appends once per key; away while `away` is true. */
export class FakeConversations implements Conversations {
  readonly records = new Map<string, Parameters<Conversations["appendJoined"]>[0]>();
  away = false;
  calls = 0;

  async appendJoined(record: Parameters<Conversations["appendJoined"]>[0]): Promise<void> {
    this.calls++;
    if (this.away) throw shared.outcomeUnknown("message did not answer");
    if (!this.records.has(record.idempotencyKey)) this.records.set(record.idempotencyKey, record);
  }
}

export const origin: Origin = { traceparent: "", requestId: "r" };

/** The core on fakes: users a to z exist. */
export function fakeGroups(maxMembers = 500) {
  const store = new MemoryStore();
  const conversations = new FakeConversations();
  const clock = { ms: 1_000_000 };
  let ids = 0;
  const users = { unknown: async (asked: readonly string[]) => asked.filter((id) => !/^[a-z]$/.test(id)) };
  const core = createGroupCore(
    { groups: store, members: store, users, conversations, now: () => clock.ms, newId: () => `g${++ids}` },
    { maxMembers },
  );
  return { core, store, conversations, clock };
}

export function request(init: MessageInitShape<typeof CreateGroupRequestSchema> = {}) {
  return create(CreateGroupRequestSchema, { name: "crew", memberIds: ["b", "c"], clientGroupId: "key", ...init });
}
