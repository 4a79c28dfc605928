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
    { key: { "pending.startTime": 1 }, partialFilterExpression: { pending: { $exists: true } } },
    { key: { "pending.touched": 1 }, partialFilterExpression: { pending: { $exists: true } } },
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
    async withOpenHistory(groupIds) {
      if (groupIds.length === 0) return [];
      const open = { _id: { $in: [...groupIds] }, "settings.openHistory": true };
      const found = await reading(() => groups.find(open, { projection: { _id: 1 } }).toArray());
      return found.map(({ _id }) => _id);
    },
    ...changesOf(groups),
  };
}

/** The note of the change under way. */
function changesOf(groups: Collection<GroupDocument>) {
  const isPending = { pending: { $exists: true } };
  return {
    async begin({ groupId, lastChangeId }, change) {
      const asRead = { _id: groupId, lastChangeId: lastChangeId ?? { $exists: false }, pending: { $exists: false } };
      const { matchedCount } = await writing(() => groups.updateOne(asRead, { $set: { pending: change } }));
      return matchedCount === 1;
    },
    async applied(groupId, changeId, fields) {
      const underWay = { _id: groupId, "pending.changeId": changeId };
      await writing(() => groups.updateOne(underWay, { $set: fields, $unset: { pending: "" } }));
    },
    async abandon(groupId, changeId) {
      const underWay = { _id: groupId, "pending.changeId": changeId };
      await writing(() => groups.deleteOne({ ...underWay, version: 0n }));
      await writing(() => groups.updateOne(underWay, { $unset: { pending: "" } }));
    },
    async unfinished(limit) {
      const found = await reading(() => groups.find(isPending).sort({ "pending.startTime": 1 }).limit(limit).toArray());
      return found.map(groupOf);
    },
    async unfinishedOf(userIds, limit) {
      const found = await reading(() =>
        groups
          .find({ ...isPending, "pending.touched": { $in: [...userIds] } })
          .limit(limit)
          .toArray(),
      );
      return found.map(groupOf);
    },
  } satisfies Partial<GroupStore>;
}

function groupOf({ _id, ...rest }: GroupDocument): Group {
  return { groupId: _id, ...rest };
}
