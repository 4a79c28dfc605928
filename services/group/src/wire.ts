import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { GroupRole, type GroupSettings, JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Change, DataChange, Group, Member, MembersChange, Role, Settings } from "./ports.ts";

/** A role as others call it. */
export const ROLES: Readonly<Record<Role, GroupRole>> = {
  owner: GroupRole.OWNER,
  admin: GroupRole.ADMIN,
  member: GroupRole.MEMBER,
};
const ROLE_NAMES: Readonly<Record<Role, string>> = {
  owner: "GROUP_ROLE_OWNER",
  admin: "GROUP_ROLE_ADMIN",
  member: "GROUP_ROLE_MEMBER",
};
const POLICIES = {
  open: JoinPolicy.OPEN,
  approval: JoinPolicy.APPROVAL,
  inviteOnly: JoinPolicy.INVITE_ONLY,
};
const POLICY_NAMES = {
  open: "JOIN_POLICY_OPEN",
  approval: "JOIN_POLICY_APPROVAL",
  inviteOnly: "JOIN_POLICY_INVITE_ONLY",
};

/** Settings as a client gives them; without a policy one comes in by invitation only. */
export function settingsOf(settings: GroupSettings | undefined): Settings | undefined {
  if (settings === undefined) return undefined;
  const { joinPolicy, membersMayInvite, membersMayMentionAll, openHistory } = settings;
  const policy =
    joinPolicy === JoinPolicy.OPEN ? "open" : joinPolicy === JoinPolicy.APPROVAL ? "approval" : "inviteOnly";
  return { joinPolicy: policy, membersMayInvite, membersMayMentionAll, openHistory };
}

/** A group as its members see it. */
export function groupOf(group: Group) {
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

/** A member as the others see him. */
export function memberOf({ userId, role, nickname, mutedUntil, joinTime }: Member) {
  return {
    userId,
    role: ROLES[role],
    nickname,
    joinTime: timestampFromDate(joinTime),
    ...(mutedUntil === undefined ? {} : { mutedUntil: timestampFromDate(mutedUntil) }),
  };
}

/** The record of a change: the same for every repeat. */
export function recordOf({ actorUserId, what }: Change): MessageInitShape<typeof RecordSchema> {
  const body =
    what.kind === "members"
      ? { case: "membership" as const, value: membershipOf(actorUserId, what) }
      : { case: "groupChange" as const, value: groupChangeOf(what) };
  return { senderUserId: actorUserId, body };
}

function membershipOf(actorUserId: string, { joined, left, removed, roles, version }: MembersChange) {
  const roleChanged = roles.map(({ userId, role }) => ({ userId, role: ROLE_NAMES[role] }));
  return { joined: [...joined], left: [...left], removed: [...removed], roleChanged, actorUserId, version };
}

/** What has no field of its own is among the settings, by its name in the group. */
function groupChangeOf({ name, avatarUrl, mutedAll, settings = {} }: DataChange) {
  const { joinPolicy, membersMayInvite, membersMayMentionAll, openHistory } = settings;
  const fields = {
    join_policy: joinPolicy === undefined ? undefined : POLICY_NAMES[joinPolicy],
    members_may_invite: membersMayInvite,
    members_may_mention_all: membersMayMentionAll,
    open_history: openHistory,
    muted_all: mutedAll,
    avatar_url: avatarUrl,
  };
  const changed = Object.entries(fields).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, String(value)] as const],
  );
  return { ...(name === undefined ? {} : { name }), settings: Object.fromEntries(changed) };
}
