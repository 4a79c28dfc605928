import type { Group, Member, Role } from "../ports.ts";

const RANKS: Readonly<Record<Role, number>> = { owner: 3, admin: 2, member: 1 };

/** Whether the first may manage the second. */
export const outranks = (one: Role, other: Role): boolean => RANKS[one] > RANKS[other];

/** Whether somebody may manage members and messages. */
export const manages = ({ role }: Member): boolean => role !== "member";

/** Whether a membership lasts. */
export const lasts = (member: Member | undefined): member is Member =>
  member !== undefined && member.toSeq === undefined;

/**
 * Whether somebody counts as a member: not any more from the moment that his going is noted, though its record may not be in
 * the log yet; and not before his coming is applied.
 */
export function isMember(group: Group, member: Member | undefined): member is Member {
  return lasts(member) && !isGoing(group, member.userId);
}

function isGoing({ pending }: Group, userId: string): boolean {
  if (pending?.what.kind !== "members") return false;
  return pending.what.left.includes(userId) || pending.what.removed.includes(userId);
}
