import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import { errors } from "../errors.ts";
import type { Group, Member } from "../ports.ts";
import type { GroupContext } from "./context.ts";

interface Page {
  readonly pageSize: number;
  readonly pageToken: string;
}

const MAX_MEMBER_IDS = 10_000;
const MAX_GROUP_IDS = 1_000;

/** A group, for its members. Whoever isn't one learns nothing, not even that it exists. */
export async function groupFor({ groups, members }: GroupContext, userId: string, groupId: string): Promise<Group> {
  const [group, member] = await Promise.all([groups.group(groupId), members.member(groupId, userId)]);
  if (group === undefined || member === undefined || member.toSeq !== undefined) throw errors.groupNotFound();
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
 * A page of members' ids with the version of the list. The version is read first: it may be older than the ids, which
 * makes a reader look again, but never newer, which would make him keep an old list.
 */
export async function listMemberIds(
  { groups, members }: GroupContext,
  request: { readonly groupId: string; readonly afterUserId: string; readonly limit: number },
): Promise<{ userIds: string[]; version: bigint; hasMore: boolean }> {
  const { groupId, afterUserId } = request;
  const limit = Math.min(request.limit || MAX_MEMBER_IDS, MAX_MEMBER_IDS);
  const version = (await groups.group(groupId))?.version ?? 0n;
  const userIds = await members.memberIds(groupId, afterUserId, limit + 1);
  return { userIds: userIds.slice(0, limit), version, hasMore: userIds.length > limit };
}

/** A page of a user's memberships that last. */
export async function listMemberships(
  { members }: GroupContext,
  request: { readonly userId: string; readonly afterGroupId: string; readonly limit: number },
): Promise<{ memberships: { groupId: string; fromSeq: bigint; joinTime: Timestamp }[]; hasMore: boolean }> {
  const limit = Math.min(request.limit || MAX_GROUP_IDS, MAX_GROUP_IDS);
  const found = await members.memberships(request.userId, request.afterGroupId, limit + 1);
  const memberships = found
    .slice(0, limit)
    .map(({ groupId, fromSeq, joinTime }) => ({ groupId, fromSeq, joinTime: timestampFromDate(joinTime) }));
  return { memberships, hasMore: found.length > limit };
}
