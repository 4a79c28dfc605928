import { finishUnfinished } from "./core/change.ts";
import { checkRead, checkSend } from "./core/checks.ts";
import type { GroupContext, GroupLimits, GroupPorts } from "./core/context.ts";
import { createGroup, type NewGroup } from "./core/create.ts";
import { type GroupUpdate, updateGroup } from "./core/data.ts";
import { groupFor, listGroups, listMemberIds, listMembers, listMemberships } from "./core/lists.ts";
import { listMembershipsOfUsers, type UserOfGroups } from "./core/lists-of-users.ts";
import { type MemberUpdate, updateMember } from "./core/member.ts";
import { inviteMembers, joinGroup, leaveGroup, removeMember } from "./core/membership.ts";
import { GroupTurns } from "./core/turns.ts";
import type { Origin } from "./ports.ts";

/** The rules of groups and their members. */
export type GroupCore = ReturnType<typeof createGroupCore>;

/** Binds the rules to what they work with. */
export function createGroupCore(ports: GroupPorts, limits: GroupLimits) {
  const context: GroupContext = { ...ports, ...limits, turns: new GroupTurns() };
  return {
    create: (userId: string, request: NewGroup, origin: Origin) => createGroup(context, userId, request, origin),
    update: (userId: string, update: GroupUpdate, origin: Origin) => updateGroup(context, userId, update, origin),
    invite: (userId: string, request: Parameters<typeof inviteMembers>[2], origin: Origin) =>
      inviteMembers(context, userId, request, origin),
    join: (userId: string, groupId: string, origin: Origin) => joinGroup(context, userId, groupId, origin),
    leave: (userId: string, groupId: string, origin: Origin) => leaveGroup(context, userId, groupId, origin),
    remove: (userId: string, request: Parameters<typeof removeMember>[2], origin: Origin) =>
      removeMember(context, userId, request, origin),
    updateMember: (userId: string, update: MemberUpdate, origin: Origin) =>
      updateMember(context, userId, update, origin),
    finishUnfinished: (limit: number) => finishUnfinished(context, limit),
    group: (userId: string, groupId: string) => groupFor(context, userId, groupId),
    listGroups: (userId: string, page: Parameters<typeof listGroups>[2]) => listGroups(context, userId, page),
    listMembers: (userId: string, groupId: string, page: Parameters<typeof listMembers>[3]) =>
      listMembers(context, userId, groupId, page),
    checkSend: (groupId: string, userId: string, mentionsAll: boolean) =>
      checkSend(context, groupId, userId, mentionsAll),
    checkRead: (groupId: string, userId: string) => checkRead(context, groupId, userId),
    listMemberIds: (request: Parameters<typeof listMemberIds>[1]) => listMemberIds(context, request),
    listMemberships: (request: Parameters<typeof listMemberships>[1]) => listMemberships(context, request),
    listMembershipsOfUsers: (users: readonly UserOfGroups[]) => listMembershipsOfUsers(context, users),
  };
}
