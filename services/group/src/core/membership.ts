import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Change, Group, Member, Origin } from "../ports.ts";
import { callerIn, checkKnown, managerIn } from "./caller.ts";
import { changeGroup, type MembersDraft, membersChange } from "./change.ts";
import type { GroupContext } from "./context.ts";
import { lasts, manages, outranks } from "./standing.ts";

const NOBODY: MembersDraft = { joined: [], left: [], removed: [], roles: [] };

/** Brings users into a group. Answers those of them who are members now. */
export async function inviteMembers(
  context: GroupContext,
  callerId: string,
  { groupId, userIds }: { readonly groupId: string; readonly userIds: readonly string[] },
  origin: Origin,
): Promise<Member[]> {
  const wanted = [...new Set(userIds)].sort();
  await checkKnown(context, groupId, callerId);
  await changeGroup(context, groupId, origin, async (group) => {
    const caller = await callerIn(context, group, callerId);
    if (!group.settings.membersMayInvite && !manages(caller)) throw errors.roleTooLow();
    const there = await lasting(context, groupId, wanted);
    const joined = wanted.filter((userId) => !there.has(userId));
    const unknown = await context.users.unknown(joined, origin);
    if (unknown.length > 0) throw errors.userNotFound(unknown);
    return joining(context, group, callerId, joined);
  });
  const members = await context.members.membersOf(groupId, wanted);
  return members.filter(lasts).sort((a, b) => (a.userId < b.userId ? -1 : 1));
}

/** Comes into a group that is open. */
export async function joinGroup(
  context: GroupContext,
  callerId: string,
  groupId: string,
  origin: Origin,
): Promise<{ pending: boolean }> {
  const known = await context.groups.group(groupId);
  // Whoever may come in by himself, or ask to, may know that the group exists.
  if (known === undefined || known.settings.joinPolicy === "inviteOnly") await checkKnown(context, groupId, callerId);
  await changeGroup(context, groupId, origin, async (group) => {
    const before = await context.members.member(groupId, callerId);
    if (lasts(before)) return undefined;
    if (group.settings.joinPolicy === "open") return joining(context, group, callerId, [callerId]);
    if (group.settings.joinPolicy === "approval") throw shared.unimplemented("requests to join are not implemented");
    throw before === undefined ? errors.groupNotFound() : errors.inviteOnly();
  });
  return { pending: false };
}

/** Leaves a group. Who has left already has. */
export async function leaveGroup(
  context: GroupContext,
  callerId: string,
  groupId: string,
  origin: Origin,
): Promise<void> {
  await checkKnown(context, groupId, callerId);
  await changeGroup(context, groupId, origin, async (group) => {
    const member = await context.members.member(groupId, callerId);
    if (member === undefined) throw errors.groupNotFound();
    if (!lasts(member)) return undefined;
    if (member.role === "owner") throw errors.ownerMayNotLeave();
    return membersChange(context, group, callerId, { ...NOBODY, left: [callerId] });
  });
}

/** Removes somebody of a lower role. Who has gone already has. */
export async function removeMember(
  context: GroupContext,
  callerId: string,
  { groupId, userId }: { readonly groupId: string; readonly userId: string },
  origin: Origin,
): Promise<void> {
  await checkKnown(context, groupId, callerId);
  await changeGroup(context, groupId, origin, async (group) => {
    const caller = await managerIn(context, group, callerId);
    const member = await context.members.member(groupId, userId);
    if (member === undefined) throw errors.memberNotFound();
    if (!lasts(member)) return undefined;
    if (!outranks(caller.role, member.role)) throw errors.roleTooLow();
    return membersChange(context, group, callerId, { ...NOBODY, removed: [userId] });
  });
}

function joining(
  context: GroupContext,
  group: Group,
  actorUserId: string,
  joined: readonly string[],
): Change | undefined {
  if (joined.length === 0) return undefined;
  if (group.memberCount + joined.length > context.maxMembers) throw errors.groupFull(context.maxMembers);
  return membersChange(context, group, actorUserId, { ...NOBODY, joined });
}

async function lasting({ members }: GroupContext, groupId: string, userIds: readonly string[]): Promise<Set<string>> {
  return new Set((await members.membersOf(groupId, userIds)).filter(lasts).map(({ userId }) => userId));
}
