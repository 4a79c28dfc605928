import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole, JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { GroupService } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { type CallContext, callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { GroupCore } from "./core.ts";
import type { Group, Member, Origin } from "./ports.ts";

/** What clients may call. */
export const groupHandlers = (core: GroupCore): Handlers<typeof GroupService> => ({
  async createGroup(request, context) {
    return { group: groupOf(await core.create(callerOf(context).userId, request, originOf(context))) };
  },
  async getGroup({ groupId }, context) {
    return { group: groupOf(await core.group(callerOf(context).userId, groupId)) };
  },
  async listGroups(request, context) {
    const { groups, nextPageToken } = await core.listGroups(callerOf(context).userId, request);
    return { groups: groups.map(groupOf), nextPageToken };
  },
  async listMembers(request, context) {
    const { userId } = callerOf(context);
    const { members, nextPageToken } = await core.listMembers(userId, request.groupId, request);
    return { members: members.map(memberOf), nextPageToken };
  },
});

/** What other services may call. */
export const groupMeshHandlers = (core: GroupCore): Handlers<typeof GroupMeshService> => ({
  async checkSend({ groupId, userId, mentionsAll }) {
    const { verdict, role } = await core.checkSend(groupId, userId, mentionsAll);
    return { verdict, role: role === undefined ? GroupRole.UNSPECIFIED : ROLES[role] };
  },
  async checkRead({ groupId, userId }) {
    return { intervals: await core.checkRead(groupId, userId) };
  },
  listMemberIds: (request) => core.listMemberIds(request),
  listGroupIdsOfUser: (request) => core.listMemberships(request),
});

const ROLES = { owner: GroupRole.OWNER, admin: GroupRole.ADMIN, member: GroupRole.MEMBER };
const POLICIES = {
  open: JoinPolicy.OPEN,
  approval: JoinPolicy.APPROVAL,
  inviteOnly: JoinPolicy.INVITE_ONLY,
};

const originOf = ({ traceparent, requestId }: CallContext): Origin => ({ traceparent, requestId });

function groupOf(group: Group) {
  const { groupId, name, ownerUserId, memberCount, announcement, avatarUrl, mutedAll, version } = group;
  return {
    groupId,
    conversationId: `g_${groupId}`,
    name,
    ownerUserId,
    memberCount,
    announcement,
    avatarUrl,
    settings: { ...group.settings, joinPolicy: POLICIES[group.settings.joinPolicy] },
    createTime: timestampFromDate(group.createTime),
    mutedAll,
    version,
  };
}

function memberOf({ userId, role, nickname, mutedUntil, joinTime }: Member) {
  return {
    userId,
    role: ROLES[role],
    nickname,
    joinTime: timestampFromDate(joinTime),
    ...(mutedUntil === undefined ? {} : { mutedUntil: timestampFromDate(mutedUntil) }),
  };
}
