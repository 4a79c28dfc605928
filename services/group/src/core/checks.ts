import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { Group, Member, Role } from "../ports.ts";
import type { GroupContext } from "./context.ts";

/** Whether a user may write to a group, and as what. */
export async function checkSend(
  { groups, members, now }: GroupContext,
  groupId: string,
  userId: string,
  mentionsAll: boolean,
): Promise<{ verdict: SendVerdict; role: Role | undefined }> {
  const [group, member] = await Promise.all([groups.group(groupId), members.member(groupId, userId)]);
  if (group === undefined || member === undefined || member.toSeq !== undefined) {
    return { verdict: SendVerdict.NOT_A_MEMBER, role: undefined };
  }
  return { verdict: verdictOf(group, member, mentionsAll, now()), role: member.role };
}

function verdictOf(group: Group, { role, mutedUntil }: Member, mentionsAll: boolean, nowMs: number): SendVerdict {
  if (role !== "owner" && mutedUntil !== undefined && mutedUntil.getTime() > nowMs) return SendVerdict.MUTED;
  if (role !== "member") return SendVerdict.ALLOWED;
  if (group.mutedAll) return SendVerdict.ALL_MUTED;
  return mentionsAll && !group.settings.membersMayMentionAll ? SendVerdict.MAY_NOT_MENTION_ALL : SendVerdict.ALLOWED;
}

/** Which records a user may read, also one who has left. `toSeq` 0: the membership lasts. */
export async function checkRead(
  { members }: GroupContext,
  groupId: string,
  userId: string,
): Promise<{ fromSeq: bigint; toSeq: bigint }[]> {
  const member = await members.member(groupId, userId);
  return member === undefined ? [] : [{ fromSeq: member.fromSeq, toSeq: member.toSeq ?? 0n }];
}
