import { errors } from "../errors.ts";
import type { Group, Member } from "../ports.ts";
import type { GroupContext } from "./context.ts";
import { isMember, manages } from "./standing.ts";

/** Lets only those go on who may know that the group exists: who is, was or is about to be a member. Others learn nothing. */
export async function checkKnown({ groups, members }: GroupContext, groupId: string, userId: string): Promise<void> {
  const [group, member] = await Promise.all([groups.group(groupId), members.member(groupId, userId)]);
  if (group === undefined) throw errors.groupNotFound();
  if (member === undefined && !group.pending?.touched.includes(userId)) throw errors.groupNotFound();
}

/** The caller as a member. */
export async function callerIn({ members }: GroupContext, group: Group, userId: string): Promise<Member> {
  const member = await members.member(group.groupId, userId);
  if (!isMember(group, member)) throw errors.groupNotFound();
  return member;
}

/** The caller as the owner or an admin. */
export async function managerIn(context: GroupContext, group: Group, userId: string): Promise<Member> {
  const member = await callerIn(context, group, userId);
  if (!manages(member)) throw errors.roleTooLow();
  return member;
}
