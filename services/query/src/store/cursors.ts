import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { RecordStore } from "../ports.ts";
import { JOINED, ofUser } from "./joined.ts";

export interface ReadCursorDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly readSeq: bigint;
}

/** Reads read cursors. */
export function cursorsIn(
  cursors: Collection<ReadCursorDocument>,
): Pick<RecordStore, "readSeqsOf" | "readSeqsIn" | "countReaders"> {
  const find = (ids: readonly string[]) => reading(() => cursors.find({ _id: { $in: [...ids] } }).toArray());
  const look = joinedLookups(async (ids) => new Map((await find(ids)).map((cursor) => [cursor._id, cursor])), JOINED);
  return {
    async readSeqsOf(userId, conversationIds) {
      const found = await look(conversationIds.map((conversationId) => ofUser(userId, conversationId)));
      return new Map([...found.values()].map(({ conversationId, readSeq }) => [conversationId, readSeq]));
    },
    async readSeqsIn(conversationId, userIds) {
      const found = await find(userIds.map((userId) => `${userId}:${conversationId}`));
      return new Map(found.map(({ userId, readSeq }) => [userId, readSeq]));
    },
    countReaders: (conversationId, userIds, seq) =>
      reading(() =>
        cursors.countDocuments({
          _id: { $in: userIds.map((each) => `${each}:${conversationId}`) },
          readSeq: { $gte: seq },
        }),
      ),
  };
}
