import { durationMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { GroupService } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { type CallContext, callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { Membership } from "./core/lists.ts";
import type { GroupCore } from "./core.ts";
import type { Origin } from "./ports.ts";
import { groupOf, memberOf, ROLES, settingsOf } from "./wire.ts";

/** What clients may call. */
export const groupHandlers = (core: GroupCore): Handlers<typeof GroupService> => ({
  ...membershipHandlers(core),
  async createGroup({ name, memberIds, clientGroupId, settings }, context) {
    const request = {
      name,
      memberIds: memberIds.map(idOf),
      clientGroupId: idOf(clientGroupId),
      settings: settingsOf(settings),
    };
    return { group: groupOf(await core.create(callerOf(context).userId, request, originOf(context))) };
  },
  async updateGroup(request, context) {
    const { name, avatarUrl } = request;
    const settings = settingsOf(request.settings);
    const update = {
      groupId: idOf(request.groupId),
      ...(name === undefined ? {} : { name }),
      ...(avatarUrl === undefined ? {} : { avatarUrl }),
      ...(settings === undefined ? {} : { settings }),
    };
    return { group: groupOf(await core.update(callerOf(context).userId, update, originOf(context))) };
  },
  async muteAll({ groupId, muted }, context) {
    const update = { groupId: idOf(groupId), mutedAll: muted };
    return { group: groupOf(await core.update(callerOf(context).userId, update, originOf(context))) };
  },
  async getGroup({ groupId }, context) {
    return { group: groupOf(await core.group(callerOf(context).userId, idOf(groupId))) };
  },
  async listGroups(request, context) {
    const { groups, nextPageToken } = await core.listGroups(callerOf(context).userId, request);
    return { groups: groups.map(groupOf), nextPageToken };
  },
});

/** Who belongs to a group. */
const membershipHandlers = (core: GroupCore): Handlers<typeof GroupService> => ({
  async listMembers(request, context) {
    const { userId } = callerOf(context);
    const { members, nextPageToken } = await core.listMembers(userId, idOf(request.groupId), request);
    return { members: members.map(memberOf), nextPageToken };
  },
  async inviteMembers({ groupId, userIds }, context) {
    const request = { groupId: idOf(groupId), userIds: userIds.map(idOf) };
    return { members: (await core.invite(callerOf(context).userId, request, originOf(context))).map(memberOf) };
  },
  joinGroup: ({ groupId }, context) => core.join(callerOf(context).userId, idOf(groupId), originOf(context)),
  async leaveGroup({ groupId }, context) {
    await core.leave(callerOf(context).userId, idOf(groupId), originOf(context));
    return {};
  },
  async removeMember({ groupId, userId }, context) {
    const request = { groupId: idOf(groupId), userId: idOf(userId) };
    await core.remove(callerOf(context).userId, request, originOf(context));
    return {};
  },
  async updateMember({ groupId, userId, role, nickname, mute }, context) {
    const update = {
      groupId: idOf(groupId),
      userId: idOf(userId),
      ...(role === undefined ? {} : { role: role === GroupRole.ADMIN ? ("admin" as const) : ("member" as const) }),
      ...(nickname === undefined ? {} : { nickname }),
      ...(mute === undefined ? {} : { muteMs: durationMs(mute) }),
    };
    return { member: memberOf(await core.updateMember(callerOf(context).userId, update, originOf(context))) };
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
  async listGroupIdsOfUser({ userId, afterGroupId, limit, leftSince }) {
    const since = leftSince === undefined ? {} : { leftSince: timestampDate(leftSince) };
    const { memberships, hasMore } = await core.listMemberships({ userId, afterGroupId, limit, ...since });
    return { memberships: memberships.map(told), hasMore };
  },
  async listGroupIdsOfUsers({ users }) {
    const asked = users.map(({ userId, leftSince }) => ({
      userId,
      ...(leftSince === undefined ? {} : { leftSince: timestampDate(leftSince) }),
    }));
    const found = await core.listMembershipsOfUsers(asked);
    return { users: found.map(({ userId, memberships }) => ({ userId, memberships: memberships.map(told) })) };
  },
});

const told = (membership: Membership) => ({ ...membership, joinTime: timestampFromDate(membership.joinTime) });

/** Ids are compared as text. */
const idOf = (id: string): string => id.toLowerCase();

const originOf = ({ traceparent, requestId }: CallContext): Origin => ({ traceparent, requestId });
