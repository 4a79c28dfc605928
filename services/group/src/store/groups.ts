import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { Group, GroupStore } from "../ports.ts";

interface GroupDocument extends Omit<Group, "groupId"> {
  readonly _id: string;
}

/** The collection `groups`. */
export async function openGroups(db: Db): Promise<GroupStore> {
  const groups: Collection<GroupDocument> = db.collection("groups");
  await groups.createIndexes([
    { key: { creatorUserId: 1, clientGroupId: 1 }, unique: true },
    { key: { createTime: 1 }, partialFilterExpression: { pendingMemberIds: { $exists: true } } },
  ]);
  const one = async (filter: Partial<GroupDocument>) => {
    const found = await reading(() => groups.findOne(filter));
    return found === null ? undefined : groupOf(found);
  };
  return {
    async createGroup({ groupId, ...rest }) {
      try {
        await writing(() => groups.insertOne({ _id: groupId, ...rest }));
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw error;
      }
    },
    groupByClientId: (creatorUserId, clientGroupId) => one({ creatorUserId, clientGroupId }),
    group: (groupId) => one({ _id: groupId }),
    async groups(groupIds) {
      const found = await reading(() => groups.find({ _id: { $in: [...groupIds] } }).toArray());
      return found.map(groupOf);
    },
    async created(groupId) {
      await writing(() => groups.updateOne({ _id: groupId }, { $unset: { pendingMemberIds: "" } }));
    },
    async unfinished(limit) {
      const pending = { pendingMemberIds: { $exists: true } };
      const found = await reading(() => groups.find(pending).sort({ createTime: 1 }).limit(limit).toArray());
      return found.map(groupOf);
    },
  };
}

function groupOf({ _id, ...rest }: GroupDocument): Group {
  return { groupId: _id, ...rest };
}
