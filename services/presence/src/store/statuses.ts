import { Status } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { StatusStore, StoredStatus } from "../ports.ts";

/** `_id` is the user. Whoever has chosen nothing and was never here has none. */
interface StatusDocument {
  readonly _id: string;
  readonly status?: "online" | "away" | "busy" | "invisible";
  readonly text?: string;
  readonly expireTime?: Date;
  readonly lastSeenTime?: Date;
}

const WORDS = [
  [Status.ONLINE, "online"],
  [Status.AWAY, "away"],
  [Status.BUSY, "busy"],
  [Status.INVISIBLE, "invisible"],
] as const;

/** How many are read at once. */
const READ_AT_ONCE = 1_000;

/** The collection `presence_statuses`. */
export async function openStatuses(db: Db): Promise<StatusStore> {
  const statuses: Collection<StatusDocument> = db.collection("presence_statuses");
  await statuses.createIndexes([{ key: { expireTime: 1, _id: 1 } }]);
  return {
    async read(userIds) {
      const found = new Map<string, StoredStatus>(userIds.map((userId) => [userId, storedOf(undefined)]));
      for (let from = 0; from < userIds.length; from += READ_AT_ONCE) {
        const ids = userIds.slice(from, from + READ_AT_ONCE);
        const documents = await reading(() => statuses.find({ _id: { $in: ids } }).toArray());
        for (const document of documents) found.set(document._id, storedOf(document));
      }
      return found;
    },
    async set(userId, { status, text, expireMs }, seenMs) {
      const word = WORDS.find(([value]) => value === status)?.[1] ?? "online";
      const update = {
        $set: { status: word, text, ...(expireMs === undefined ? {} : { expireTime: new Date(expireMs) }) },
        ...(expireMs === undefined ? { $unset: { expireTime: "" as const } } : {}),
        ...(seenMs === undefined ? {} : { $max: { lastSeenTime: new Date(seenMs) } }),
      };
      const options = { upsert: true, returnDocument: "after" } as const;
      return storedOf((await writing(() => statuses.findOneAndUpdate({ _id: userId }, update, options))) ?? undefined);
    },
    async seen(lastSeenMs) {
      if (lastSeenMs.size === 0) return;
      const updates = [...lastSeenMs].map(([userId, ms]) => ({
        updateOne: { filter: { _id: userId }, update: { $max: { lastSeenTime: new Date(ms) } }, upsert: true },
      }));
      await writing(() => statuses.bulkWrite(updates, { ordered: false }));
    },
    async ending({ userId, timeMs }, untilMs, limit) {
      const after = new Date(timeMs);
      const later = { expireTime: { $gt: after, $lte: new Date(untilMs) } };
      const found = await reading(() =>
        statuses
          .find({ $or: [{ expireTime: after, _id: { $gt: userId } }, later] })
          .sort({ expireTime: 1, _id: 1 })
          .limit(limit)
          .toArray(),
      );
      return found.map(({ _id, expireTime }) => ({ userId: _id, timeMs: expireTime?.getTime() ?? timeMs }));
    },
  };
}

function storedOf(document: StatusDocument | undefined): StoredStatus {
  const { status, text = "", expireTime, lastSeenTime } = document ?? {};
  return {
    status: WORDS.find(([, word]) => word === status)?.[0] ?? Status.ONLINE,
    text,
    expireMs: expireTime?.getTime(),
    lastSeenMs: lastSeenTime?.getTime(),
  };
}
