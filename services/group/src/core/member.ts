import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Member, Origin, Role } from "../ports.ts";
import { callerIn, checkKnown } from "./caller.ts";
import { changeGroup, membersChange } from "./change.ts";
import type { GroupContext } from "./context.ts";
import { isMember, manages, outranks } from "./standing.ts";

const MAX_MUTE_DAYS = 3650;
const MAX_MUTE_MS = MAX_MUTE_DAYS * 86_400_000;

/** What of a member is to be different; absent fields stay. */
export interface MemberUpdate {
  readonly groupId: string;
  readonly userId: string;
  readonly role?: Exclude<Role, "owner">;
  readonly nickname?: string;
  /** From now on, in milliseconds; 0 ends a mute. */
  readonly muteMs?: number;
}

/**
 * Changes a member. A role is a record of the log, so that everybody learns of it; nickname and mute are the group's own. When
 * several are given, nothing is changed unless the caller may change all of them.
 */
export async function updateMember(
  context: GroupContext,
  callerId: string,
  update: MemberUpdate,
  origin: Origin,
): Promise<Member> {
  const { groupId, userId, role, nickname, muteMs } = update;
  if (muteMs !== undefined && !(muteMs >= 0 && muteMs <= MAX_MUTE_MS)) {
    throw shared.invalidFields([{ field: "mute", description: `must be between 0 and ${MAX_MUTE_DAYS} days` }]);
  }
  await checkKnown(context, groupId, callerId);
  await changeGroup(context, groupId, origin, async (group) => {
    const caller = await callerIn(context, group, callerId);
    const member = await context.members.member(groupId, userId);
    if (!isMember(group, member)) throw errors.memberNotFound();
    checkAllowed(caller, member, update);
    if (role === undefined || role === member.role) return undefined;
    const roles = [{ userId, role }];
    return membersChange(context, group, callerId, { joined: [], left: [], removed: [], roles });
  });
  const mutedUntil = muteMs === undefined ? undefined : muteMs === 0 ? null : new Date(context.now() + muteMs);
  const fields = {
    ...(nickname === undefined ? {} : { nickname }),
    ...(mutedUntil === undefined ? {} : { mutedUntil }),
  };
  const member = await context.members.setMember(groupId, userId, fields);
  if (member === undefined) throw errors.memberNotFound();
  return member;
}

function checkAllowed(caller: Member, member: Member, { role, nickname, muteMs }: MemberUpdate): void {
  const above = manages(caller) && outranks(caller.role, member.role);
  if (role !== undefined && !(caller.role === "owner" && above)) throw errors.roleTooLow();
  if (muteMs !== undefined && !above) throw errors.roleTooLow();
  if (nickname !== undefined && !above && caller.userId !== member.userId) throw errors.roleTooLow();
}
