import type { Change, Group, Member, MemberChange, MemberStore, MembersChange, Stretch } from "../ports.ts";
import type { GroupContext } from "./context.ts";

/** Earlier memberships of one user that are remembered; what lies before is forgotten. */
const MAX_EARLIER = 99;

/** Where a change's record lies. */
export interface At {
  readonly seq: bigint;
  readonly time: Date;
}

/** Does what a record says: the members first, the group last. Any number of times, at any time later: it has its effect once. */
export async function apply({ groups, members }: GroupContext, group: Group, change: Change, at: At): Promise<Group> {
  const { changeId, what } = change;
  if (what.kind === "members") await applyToMembers(members, group, what, at);
  const fields = { ...fieldsOf(group, what), lastChangeId: changeId };
  await groups.applied(group.groupId, changeId, fields);
  const { pending: _, ...rest } = group;
  return { ...rest, ...fields };
}

function fieldsOf(group: Group, what: Change["what"]): Partial<Group> {
  if (what.kind === "members") return { version: what.version, memberCount: what.memberCount };
  const { kind: _, settings, ...fields } = what;
  return settings === undefined ? fields : { ...fields, settings: { ...group.settings, ...settings } };
}

async function applyToMembers(members: MemberStore, group: Group, what: MembersChange, at: At): Promise<void> {
  const { groupId, ownerUserId } = group;
  const touched = [...what.joined, ...what.left, ...what.removed, ...what.roles.map(({ userId }) => userId)];
  const known = new Map((await members.membersOf(groupId, touched)).map((member) => [member.userId, member]));
  const newcomers: Member[] = [];
  const changes: MemberChange[] = [];
  for (const userId of what.joined) {
    const before = known.get(userId);
    if (before !== undefined) changes.push(cameBack(before, at));
    else newcomers.push(newcomer(groupId, userId, userId === ownerUserId ? "owner" : "member", at));
  }
  for (const userId of [...what.left, ...what.removed]) changes.push(ended(userId, at));
  for (const { userId, role } of what.roles) changes.push({ userId, fields: { role }, cameBack: false });
  await members.addMembers(newcomers);
  await members.changeMembers(groupId, at.seq, changes);
}

function newcomer(groupId: string, userId: string, role: Member["role"], { seq, time }: At): Member {
  return { groupId, userId, role, nickname: "", joinTime: time, fromSeq: seq, changedSeq: seq };
}

function ended(userId: string, { seq, time }: At): MemberChange {
  return { userId, fields: { role: "member", toSeq: seq, endTime: time }, cameBack: false };
}

/** When nothing was said in between it is one stretch again. */
function cameBack({ userId, fromSeq, toSeq, earlier = [] }: Member, { seq, time }: At): MemberChange {
  const fields = { role: "member", nickname: "", joinTime: time } as const;
  if (toSeq === undefined || toSeq + 1n === seq) return { userId, fields: { ...fields, fromSeq }, cameBack: true };
  const all: Stretch[] = [...earlier, { fromSeq, toSeq }];
  return { userId, fields: { ...fields, fromSeq: seq, earlier: all.slice(-MAX_EARLIER) }, cameBack: true };
}
