import { insertEach, isDuplicateKey, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Filter } from "mongodb";
import type { Member, MemberChange, MemberStore } from "../ports.ts";

/** `_id` is `<groupId>:<userId>`. */
interface MemberDocument extends Member {
  readonly _id: string;
}

/** A membership lasts when it has no last record. */
const lasting = { toSeq: { $exists: false } };

/** The collection `group_members`: one document per member there is or was. */
export async function openMembers(db: Db): Promise<MemberStore> {
  const members: Collection<MemberDocument> = db.collection("group_members");
  await members.createIndexes([
    { key: { groupId: 1, userId: 1 } },
    { key: { userId: 1, groupId: 1 } },
    { key: { userId: 1, endTime: 1 }, partialFilterExpression: { endTime: { $exists: true } } },
  ]);
  const ofGroup = (groupId: string, afterUserId: string, limit: number) =>
    members
      .find({ groupId, userId: { $gt: afterUserId }, ...lasting })
      .sort({ userId: 1 })
      .limit(limit);
  return {
    addMembers: (added) => add(members, added),
    changeMembers: (groupId, seq, changes) => change(members, groupId, seq, changes),
    async setMember(groupId, userId, { nickname, mutedUntil }) {
      const set = {
        userId, // so that there is something to set
        ...(nickname === undefined ? {} : { nickname }),
        ...(mutedUntil === undefined || mutedUntil === null ? {} : { mutedUntil }),
      };
      const update = mutedUntil === null ? { $set: set, $unset: { mutedUntil: "" as const } } : { $set: set };
      const member = { _id: idOf(groupId, userId), ...lasting };
      const found = await writing(() => members.findOneAndUpdate(member, update, { returnDocument: "after" }));
      return found === null ? undefined : memberOf(found);
    },
    async member(groupId, userId) {
      const found = await reading(() => members.findOne({ _id: idOf(groupId, userId) }));
      return found === null ? undefined : memberOf(found);
    },
    async membersOf(groupId, userIds) {
      if (userIds.length === 0) return [];
      const ids = userIds.map((userId) => idOf(groupId, userId));
      return (await reading(() => members.find({ _id: { $in: ids } }).toArray())).map(memberOf);
    },
    async members(groupId, afterUserId, limit) {
      return (await reading(() => ofGroup(groupId, afterUserId, limit).toArray())).map(memberOf);
    },
    async memberIds(groupId, afterUserId, limit) {
      const ids = ofGroup(groupId, afterUserId, limit).project<Pick<Member, "userId">>({ _id: 0, userId: 1 });
      return (await reading(() => ids.toArray())).map(({ userId }) => userId);
    },
    memberships: (userId, afterGroupId, limit) =>
      ofUser(members, userId, { groupId: { $gt: afterGroupId }, ...lasting }, limit),
    endedMemberships: (userId, since, afterGroupId, limit) =>
      ofUser(members, userId, { groupId: { $gt: afterGroupId }, endTime: { $gte: since } }, limit),
    membershipsOfUsers: (userIds, limit) => ofUsers(members, userIds, lasting, limit),
    endedMembershipsOfUsers: (userIds, since, limit) => ofUsers(members, userIds, { endTime: { $gte: since } }, limit),
  };
}

/** Memberships of users, by user id. */
async function ofUsers(
  members: Collection<MemberDocument>,
  userIds: readonly string[],
  filter: Filter<MemberDocument>,
  limit: number,
): Promise<Member[]> {
  if (userIds.length === 0) return [];
  const found = members
    .find({ userId: { $in: [...userIds] }, ...filter })
    .sort({ userId: 1 })
    .limit(limit);
  return (await reading(() => found.toArray())).map(memberOf);
}

/** Memberships of a user, by group id. */
async function ofUser(
  members: Collection<MemberDocument>,
  userId: string,
  filter: Filter<MemberDocument>,
  limit: number,
): Promise<Member[]> {
  const found = members
    .find({ userId, ...filter })
    .sort({ groupId: 1 })
    .limit(limit);
  return (await reading(() => found.toArray())).map(memberOf);
}

/** A repeat finds them there already. */
async function add(members: Collection<MemberDocument>, added: readonly Member[]): Promise<void> {
  if (added.length === 0) return;
  const documents = added.map((member) => ({ _id: idOf(member.groupId, member.userId), ...member }));
  const other = (await insertEach(members, documents)).find((error) => !isDuplicateKey(error));
  if (other !== undefined) throw new Error(`the store refuses a member: ${other.code} ${other.errmsg ?? ""}`);
}

/** Each in one step, with a look at what has changed him before: repeats, and those that come late, change nothing. */
async function change(
  members: Collection<MemberDocument>,
  groupId: string,
  seq: bigint,
  changes: readonly MemberChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const updates = changes.map(({ userId, fields, cameBack }) => ({
    updateOne: {
      filter: { _id: idOf(groupId, userId), changedSeq: { $not: { $gte: seq } } },
      update: {
        $set: { ...fields, changedSeq: seq },
        ...(cameBack ? { $unset: { toSeq: "" as const, endTime: "" as const } } : {}),
      },
    },
  }));
  await writing(() => members.bulkWrite(updates, { ordered: false }));
}

const idOf = (groupId: string, userId: string) => `${groupId}:${userId}`;

function memberOf({ _id, ...rest }: MemberDocument): Member {
  return rest;
}
