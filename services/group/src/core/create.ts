import { hash } from "node:crypto";
import { type GroupSettings, JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { CreateGroupRequest } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Group, Member, Origin, Settings } from "../ports.ts";
import type { GroupContext } from "./context.ts";

const STANDARD: Settings = {
  joinPolicy: "inviteOnly",
  membersMayInvite: true,
  membersMayMentionAll: false,
  openHistory: false,
};

/** Unfinished groups that fail in one round of `finishUnfinished` before it gives up: the others would fail as well. */
const MAX_FAILURES = 3;

/**
 * Creates a group once per idempotency key: the group with its first members noted, the members, the first record of its
 * conversation, the note erased. Whatever ends this halfway, a repeat or `finishUnfinished` goes on from the note.
 */
export async function createGroup(
  context: GroupContext,
  creatorUserId: string,
  request: CreateGroupRequest,
  origin: Origin,
): Promise<Group> {
  const { groups, users } = context;
  const wanted = wantedGroup(context, creatorUserId, request);
  const { clientGroupId, pendingMemberIds } = wanted;
  const known = await groups.groupByClientId(creatorUserId, clientGroupId);
  if (known !== undefined) return repeated(context, known, wanted, origin);
  const unknown = await users.unknown(
    pendingMemberIds.filter((id) => id !== creatorUserId),
    origin,
  );
  if (unknown.length > 0) throw errors.userNotFound(unknown);
  if (await groups.createGroup(wanted)) return finish(context, wanted, origin);
  const quicker = await groups.groupByClientId(creatorUserId, clientGroupId);
  if (quicker === undefined) throw shared.internal(new Error("a group that is there can't be found"));
  return repeated(context, quicker, wanted, origin);
}

function repeated(context: GroupContext, known: Group, wanted: Group, origin: Origin): Promise<Group> {
  if (known.requestHash !== wanted.requestHash) throw shared.idempotencyMismatch();
  return finish(context, known, origin);
}

function wantedGroup({ now, newId, maxMembers }: GroupContext, creatorUserId: string, request: CreateGroupRequest) {
  const name = request.name.trim();
  if (name === "") throw shared.invalidFields([{ field: "name", description: "must not be blank" }]);
  const memberIds = [...new Set(request.memberIds.map((id) => id.toLowerCase()))].sort();
  const pendingMemberIds = [creatorUserId, ...memberIds.filter((id) => id !== creatorUserId)];
  if (pendingMemberIds.length > maxMembers) throw errors.groupFull(maxMembers);
  const settings = request.settings === undefined ? STANDARD : settingsOf(request.settings);
  return {
    groupId: newId(),
    creatorUserId,
    clientGroupId: request.clientGroupId.toLowerCase(),
    requestHash: hash("sha256", JSON.stringify([name, pendingMemberIds, Object.entries(settings).sort()]), "base64url"),
    ownerUserId: creatorUserId,
    name,
    announcement: "",
    avatarUrl: "",
    settings,
    mutedAll: false,
    memberCount: pendingMemberIds.length,
    version: 1n,
    createTime: new Date(now()),
    pendingMemberIds,
  } satisfies Group;
}

function settingsOf({ joinPolicy, membersMayInvite, membersMayMentionAll, openHistory }: GroupSettings): Settings {
  const policy =
    joinPolicy === JoinPolicy.OPEN ? "open" : joinPolicy === JoinPolicy.APPROVAL ? "approval" : "inviteOnly";
  return { joinPolicy: policy, membersMayInvite, membersMayMentionAll, openHistory };
}

/** The members before the record: whoever is told of the group may read it at once. */
async function finish({ groups, members, conversations }: GroupContext, group: Group, origin: Origin): Promise<Group> {
  const { groupId, creatorUserId, version, pendingMemberIds: joined } = group;
  if (joined === undefined) return group;
  await members.addMembers(joined.map((userId) => firstMember(group, userId)));
  const idempotencyKey = `group:${groupId}:created`;
  await conversations.appendJoined({ groupId, idempotencyKey, joined, actorUserId: creatorUserId, version }, origin);
  await groups.created(groupId);
  return group;
}

function firstMember({ groupId, creatorUserId, createTime }: Group, userId: string): Member {
  const role = userId === creatorUserId ? "owner" : "member";
  return { groupId, userId, role, nickname: "", joinTime: createTime, fromSeq: 1n };
}

/** Finishes what crashes left, at most `limit` groups. Answers how many it finished, and what went wrong with others. */
export async function finishUnfinished(
  context: GroupContext,
  limit: number,
): Promise<{ finished: number; failures: { groupId: string; error: unknown }[] }> {
  const failures: { groupId: string; error: unknown }[] = [];
  let finished = 0;
  for (const group of await context.groups.unfinished(limit)) {
    if (failures.length >= MAX_FAILURES) break;
    try {
      await finish(context, group, { traceparent: "", requestId: "" });
      finished++;
    } catch (error) {
      failures.push({ groupId: group.groupId, error });
    }
  }
  return { finished, failures };
}
