import type { Member, MemberStore } from "../ports.ts";
import type { GroupContext } from "./context.ts";
import { byGroup, type Membership, shownBy } from "./lists.ts";

/** A user whose groups are asked for. */
export interface UserOfGroups {
  readonly userId: string;
  /** Also groups that he left at this time or later. */
  readonly leftSince?: Date;
}

/** All groups of a user that were asked for. */
export interface GroupsOfUser {
  readonly userId: string;
  readonly memberships: readonly Membership[];
}

/** Memberships that are read at once, of those that last and of those that have ended. */
const MAX_MEMBERSHIPS = 2_000;
/** Changes under way that are looked at. */
const MAX_UNFINISHED = 100;

/**
 * The groups of many users by a few requests to the store, as far as that is possible: a user whom a change under way concerns is left
 * out, since it would have to be waited for, and so are those of whose memberships not all were read.
 */
export async function listMembershipsOfUsers(
  { groups, members }: GroupContext,
  users: readonly UserOfGroups[],
): Promise<GroupsOfUser[]> {
  const userIds = users.map(({ userId }) => userId);
  // Before the memberships are read: whatever is noted later was not in the log when this was asked.
  const unfinished = await groups.unfinishedOf(userIds, MAX_UNFINISHED);
  if (unfinished.length === MAX_UNFINISHED) return [];
  const touched = new Set(unfinished.flatMap(({ pending }) => pending?.touched ?? []));
  const [lasting, ended] = await Promise.all([
    members.membershipsOfUsers(userIds, MAX_MEMBERSHIPS).then(grouped),
    endedOf(members, users).then(grouped),
  ]);
  const whole = users.filter(({ userId }) => !touched.has(userId) && lasting.isWhole(userId) && ended.isWhole(userId));
  const found = whole.map(({ userId, leftSince }) => ({
    userId,
    members: byGroup(lasting.of(userId), leftSince === undefined ? [] : ended.of(userId).filter(leftFrom(leftSince))),
  }));
  const shown = await shownBy(
    groups,
    found.flatMap((each) => each.members),
  );
  return found.map((each) => ({ userId: each.userId, memberships: each.members.map(shown) }));
}

/** With the earliest time of all; more than a user asks for is left out later. */
async function endedOf(members: MemberStore, users: readonly UserOfGroups[]): Promise<readonly Member[]> {
  const asked = users.filter(({ leftSince }) => leftSince !== undefined);
  if (asked.length === 0) return [];
  const sinceMs = Math.min(...asked.map(({ leftSince }) => leftSince?.getTime() ?? 0));
  const userIds = asked.map(({ userId }) => userId);
  return members.endedMembershipsOfUsers(userIds, new Date(sinceMs), MAX_MEMBERSHIPS);
}

const leftFrom = (since: Date) => (member: Member) => member.endTime !== undefined && member.endTime >= since;

/** What was read, by user; where it was cut off, those from the last user on aren't whole. */
function grouped(read: readonly Member[]) {
  const byUser = new Map<string, Member[]>();
  for (const member of read) {
    const known = byUser.get(member.userId);
    if (known === undefined) byUser.set(member.userId, [member]);
    else known.push(member);
  }
  const cutAt = read.length < MAX_MEMBERSHIPS ? undefined : read.at(-1)?.userId;
  return {
    of: (userId: string): readonly Member[] => byUser.get(userId) ?? [],
    isWhole: (userId: string): boolean => cutAt === undefined || userId < cutAt,
  };
}
