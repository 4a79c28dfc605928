import type { CreateGroupRequest } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { checkRead, checkSend } from "./core/checks.ts";
import type { GroupContext, GroupLimits, GroupPorts } from "./core/context.ts";
import { createGroup, finishUnfinished } from "./core/create.ts";
import { groupFor, listGroups, listMemberIds, listMembers, listMemberships } from "./core/lists.ts";
import type { Origin } from "./ports.ts";

/** The rules of groups and their members. */
export type GroupCore = ReturnType<typeof createGroupCore>;

/** Binds the rules to what they work with. */
export function createGroupCore(ports: GroupPorts, limits: GroupLimits) {
  const context: GroupContext = { ...ports, ...limits };
  return {
    create: (userId: string, request: CreateGroupRequest, origin: Origin) =>
      createGroup(context, userId, request, origin),
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
  };
}
