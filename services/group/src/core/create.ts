import { hash } from "node:crypto";
import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Group, Origin, Settings } from "../ports.ts";
import { carryOut, membersChange, settled } from "./change.ts";
import type { GroupContext } from "./context.ts";

const STANDARD: Settings = {
  joinPolicy: "inviteOnly",
  membersMayInvite: true,
  membersMayMentionAll: false,
  openHistory: false,
};

/** What CreateGroup asks for, in the group's own terms. */
export interface NewGroup {
  readonly name: string;
  readonly memberIds: readonly string[];
  readonly clientGroupId: string;
  readonly settings: Settings | undefined;
}

/**
 * Creates a group once per idempotency key: an empty group with its first members' coming noted, which is then carried out like
 * any other change. Whatever ends this halfway, a repeat or `finishUnfinished` goes on from the note.
 */
export async function createGroup(
  context: GroupContext,
  creatorUserId: string,
  request: NewGroup,
  origin: Origin,
): Promise<Group> {
  const { groups, users } = context;
  const { group: wanted, change } = wantedGroup(context, creatorUserId, request);
  const { clientGroupId } = wanted;
  const known = await groups.groupByClientId(creatorUserId, clientGroupId);
  if (known !== undefined) return repeated(context, known, wanted);
  const unknown = await users.unknown(
    change.touched.filter((id) => id !== creatorUserId),
    origin,
  );
  if (unknown.length > 0) throw errors.userNotFound(unknown);
  if (await groups.createGroup(wanted)) return carryOut(context, wanted, change, 1, origin);
  const quicker = await groups.groupByClientId(creatorUserId, clientGroupId);
  if (quicker === undefined) throw shared.internal(new Error("a group that is there can't be found"));
  return repeated(context, quicker, wanted);
}

async function repeated(context: GroupContext, known: Group, wanted: Group): Promise<Group> {
  if (known.requestHash !== wanted.requestHash) throw shared.idempotencyMismatch();
  const group = await settled(context, known.groupId);
  if (group === undefined) throw errors.groupNotFound();
  return group;
}

function wantedGroup(context: GroupContext, creatorUserId: string, request: NewGroup) {
  const { now, newId, maxMembers } = context;
  const name = request.name.trim();
  if (name === "") throw shared.invalidFields([{ field: "name", description: "must not be blank" }]);
  const memberIds = [...new Set(request.memberIds)].sort();
  const joined = [creatorUserId, ...memberIds.filter((id) => id !== creatorUserId)];
  if (joined.length > maxMembers) throw errors.groupFull(maxMembers);
  const settings = request.settings ?? STANDARD;
  const empty: Group = {
    groupId: newId(),
    creatorUserId,
    clientGroupId: request.clientGroupId,
    requestHash: hash("sha256", JSON.stringify([name, joined, Object.entries(settings).sort()]), "base64url"),
    ownerUserId: creatorUserId,
    name,
    announcement: "",
    avatarUrl: "",
    settings,
    mutedAll: false,
    memberCount: 0,
    version: 0n,
    createTime: new Date(now()),
  };
  const change = membersChange(context, empty, creatorUserId, { joined, left: [], removed: [], roles: [] });
  return { group: { ...empty, pending: change }, change };
}
