import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import { errors } from "../errors.ts";
import type { Group, GroupStore, Member } from "../ports.ts";
import { settled } from "./change.ts";
import type { GroupContext } from "./context.ts";
import { isMember, lasts } from "./standing.ts";

interface Page {
  readonly pageSize: number;
  readonly pageToken: string;
}

const MAX_MEMBER_IDS = 10_000;
const MAX_GROUP_IDS = 1_000;
/** Changes under way that one list of memberships waits for. */
const MAX_UNFINISHED = 100;

/** A group, for its members. Whoever isn't one learns nothing, not even that it exists. */
export async function groupFor({ groups, members }: GroupContext, userId: string, groupId: string): Promise<Group> {
  const [group, member] = await Promise.all([groups.group(groupId), members.member(groupId, userId)]);
  if (group === undefined || !isMember(group, member)) throw errors.groupNotFound();
  return group;
}

/** A page of a user's groups, by group id: the oldest first. */
export async function listGroups(
  { groups, members }: GroupContext,
  userId: string,
  page: Page,
): Promise<{ groups: Group[]; nextPageToken: string }> {
  const { items, nextPageToken } = await pageOf(page, "groupId", (after, limit) =>
    members.memberships(userId, after, limit),
  );
  const known = new Map(
    (await groups.groups(items.map(({ groupId }) => groupId))).map((group) => [group.groupId, group]),
  );
  return { groups: items.flatMap(({ groupId }) => known.get(groupId) ?? []), nextPageToken };
}

/** A page of a group's members, by user id. Members only. */
export async function listMembers(
  context: GroupContext,
  userId: string,
  groupId: string,
  page: Page,
): Promise<{ members: Member[]; nextPageToken: string }> {
  await groupFor(context, userId, groupId);
  const { items, nextPageToken } = await pageOf(page, "userId", (after, limit) =>
    context.members.members(groupId, after, limit),
  );
  return { members: items, nextPageToken };
}

async function pageOf(
  { pageSize, pageToken }: Page,
  by: "groupId" | "userId",
  find: (after: string, limit: number) => Promise<Member[]>,
): Promise<{ items: Member[]; nextPageToken: string }> {
  const limit = pageSizeOf(pageSize);
  const after = decodePageToken(pageToken, ({ [by]: id }) => (typeof id === "string" ? id : undefined));
  const found = await find(after ?? "", limit + 1);
  const items = found.slice(0, limit);
  const last = items.at(-1);
  const more = last !== undefined && found.length > limit;
  return { items, nextPageToken: more ? encodePageToken({ [by]: last[by] }) : "" };
}

/**
 * A page of members' ids with the version of the list. Every change whose record was in the log when this was asked is in both:
 * one under way is waited for. The version is read first: it may be older than the ids, which makes a reader look again, but
 * never newer, which would make him keep an old list.
 */
export async function listMemberIds(
  context: GroupContext,
  request: { readonly groupId: string; readonly afterUserId: string; readonly limit: number },
): Promise<{ userIds: string[]; version: bigint; hasMore: boolean }> {
  const { groupId, afterUserId } = request;
  const limit = Math.min(request.limit || MAX_MEMBER_IDS, MAX_MEMBER_IDS);
  let group = await context.groups.group(groupId);
  if (group?.pending?.what.kind === "members") group = await settled(context, groupId);
  const version = group?.version ?? 0n;
  const userIds = await context.members.memberIds(groupId, afterUserId, limit + 1);
  return { userIds: userIds.slice(0, limit), version, hasMore: userIds.length > limit };
}

/** Which memberships of a user are asked for. */
export interface MembershipsRequest {
  readonly userId: string;
  readonly afterGroupId: string;
  readonly limit: number;
  /** Also those that ended at this time or later. */
  readonly leftSince?: Date;
}

/** A membership, as far as what may be read goes. `toSeq` 0: it lasts. */
export interface Membership extends Pick<Member, "groupId" | "fromSeq" | "joinTime"> {
  readonly toSeq: bigint;
}

/** A page of a user's memberships: those that last and, when asked for, those that ended lately. */
export async function listMemberships(
  context: GroupContext,
  { userId, afterGroupId, leftSince, ...request }: MembershipsRequest,
): Promise<{ memberships: Membership[]; hasMore: boolean }> {
  const { groups, members } = context;
  const limit = Math.min(request.limit || MAX_GROUP_IDS, MAX_GROUP_IDS);
  for (const { groupId } of await groups.unfinishedOf([userId], MAX_UNFINISHED)) await settled(context, groupId);
  const [lasting, ended] = await Promise.all([
    members.memberships(userId, afterGroupId, limit + 1),
    leftSince === undefined ? [] : members.endedMemberships(userId, leftSince, afterGroupId, limit + 1),
  ]);
  const sorted = byGroup(lasting, ended);
  const page = sorted.slice(0, limit);
  const shown = await shownBy(groups, page);
  return { memberships: page.map(shown), hasMore: sorted.length > limit };
}

/** Who goes between the two look-ups is in both: the later one counts. */
export function byGroup(lasting: readonly Member[], ended: readonly Member[]): Member[] {
  const found = new Map([...lasting, ...ended].map((member) => [member.groupId, member]));
  return [...found.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

/** How these memberships are told: open history counts while they last. */
export async function shownBy(groups: GroupStore, members: readonly Member[]): Promise<(member: Member) => Membership> {
  const lasting = new Set(members.filter(lasts).map(({ groupId }) => groupId));
  const open = new Set(await groups.withOpenHistory([...lasting]));
  return (member) => ({
    groupId: member.groupId,
    fromSeq: lasts(member) && open.has(member.groupId) ? 1n : member.fromSeq,
    toSeq: member.toSeq ?? 0n,
    joinTime: member.joinTime,
  });
}
