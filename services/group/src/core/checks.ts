import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { Group, Member, Role } from "../ports.ts";
import { settled } from "./change.ts";
import type { GroupContext } from "./context.ts";
import { isMember, lasts } from "./standing.ts";

/**
 * Whether a user may write to a group, and as what. Asked for each message, it waits for no change under way: who is about to go
 * may not write any more, who is about to come may not yet.
 */
export async function checkSend(
  { groups, members, now }: GroupContext,
  groupId: string,
  userId: string,
  mentionsAll: boolean,
): Promise<{ verdict: SendVerdict; role: Role | undefined }> {
  // Not at once: somebody's going that is finished in between would be in neither.
  const group = await groups.group(groupId);
  const member = await members.member(groupId, userId);
  if (group === undefined || !isMember(group, member)) return { verdict: SendVerdict.NOT_A_MEMBER, role: undefined };
  return { verdict: verdictOf(group, member, mentionsAll, now()), role: member.role };
}

function verdictOf(group: Group, { role, mutedUntil }: Member, mentionsAll: boolean, nowMs: number): SendVerdict {
  if (role !== "owner" && mutedUntil !== undefined && mutedUntil.getTime() > nowMs) return SendVerdict.MUTED;
  if (role !== "member") return SendVerdict.ALLOWED;
  if (group.mutedAll) return SendVerdict.ALL_MUTED;
  return mentionsAll && !group.settings.membersMayMentionAll ? SendVerdict.MAY_NOT_MENTION_ALL : SendVerdict.ALLOWED;
}

/**
 * Which records a user may read, also one who has left; `toSeq` 0: the membership lasts. Every record of his coming and going
 * that was in the log when this was asked counts.
 */
export async function checkRead(
  context: GroupContext,
  groupId: string,
  userId: string,
): Promise<{ fromSeq: bigint; toSeq: bigint }[]> {
  let group = await context.groups.group(groupId);
  if (group?.pending?.touched.includes(userId)) group = await settled(context, groupId);
  const member = await context.members.member(groupId, userId);
  if (group === undefined || member === undefined) return [];
  if (lasts(member) && group.settings.openHistory) return [{ fromSeq: 1n, toSeq: 0n }];
  const { earlier = [], fromSeq, toSeq = 0n } = member;
  return [...earlier, { fromSeq, toSeq }].map((stretch) => ({ fromSeq: stretch.fromSeq, toSeq: stretch.toSeq }));
}
