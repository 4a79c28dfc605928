import { insertEach, isDuplicateKey, reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { Member, MemberStore } from "../ports.ts";

/** `_id` is `<groupId>:<userId>`. */
interface MemberDocument extends Member {
  readonly _id: string;
}

/** The collection `group_members`: one document per member there is or was. */
export async function openMembers(db: Db): Promise<MemberStore> {
  const members: Collection<MemberDocument> = db.collection("group_members");
  await members.createIndexes([{ key: { groupId: 1, userId: 1 } }, { key: { userId: 1, groupId: 1 } }]);
  /** A membership lasts when it has no last record. */
  const lasting = { toSeq: { $exists: false } };
  const ofGroup = (groupId: string, afterUserId: string, limit: number) =>
    members
      .find({ groupId, userId: { $gt: afterUserId }, ...lasting })
      .sort({ userId: 1 })
      .limit(limit);
  return {
    addMembers: (added) => add(members, added),
    async member(groupId, userId) {
      const found = await reading(() => members.findOne({ _id: idOf(groupId, userId) }));
      return found === null ? undefined : memberOf(found);
    },
    async members(groupId, afterUserId, limit) {
      return (await reading(() => ofGroup(groupId, afterUserId, limit).toArray())).map(memberOf);
    },
    async memberIds(groupId, afterUserId, limit) {
      const ids = ofGroup(groupId, afterUserId, limit).project<Pick<Member, "userId">>({ _id: 0, userId: 1 });
      return (await reading(() => ids.toArray())).map(({ userId }) => userId);
    },
    async memberships(userId, afterGroupId, limit) {
      const found = await reading(() =>
        members
          .find({ userId, groupId: { $gt: afterGroupId }, ...lasting })
          .sort({ groupId: 1 })
          .limit(limit)
          .toArray(),
      );
      return found.map(memberOf);
    },
  };
}

/** A repeat finds them there already. */
async function add(members: Collection<MemberDocument>, added: readonly Member[]): Promise<void> {
  const documents = added.map((member) => ({ _id: idOf(member.groupId, member.userId), ...member }));
  const other = (await insertEach(members, documents)).find((error) => !isDuplicateKey(error));
  if (other !== undefined) throw new Error(`the store refuses a member: ${other.code} ${other.errmsg ?? ""}`);
}

const idOf = (groupId: string, userId: string) => `${groupId}:${userId}`;

function memberOf({ _id, ...rest }: MemberDocument): Member {
  return rest;
}
