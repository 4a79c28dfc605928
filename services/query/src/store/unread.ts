import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { RecordStore, UnreadQuery } from "../ports.ts";
import type { MessageStateDocument } from "./changes.ts";
import type { RecordDocument } from "./records.ts";

/** Recalled messages that are left out of a count, the oldest unread first; more than are counted at all. */
const RECALLED_READ = 1000;
/** Mentions are looked for among this many records before the head: there is no index for them. */
const MENTIONS_WITHIN = 10_000n;

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
  const find = (ids: string[]) => reading(() => cursors.find({ _id: { $in: ids } }).toArray());
  return {
    async readSeqsOf(userId, conversationIds) {
      const found = await find(conversationIds.map((conversationId) => `${userId}:${conversationId}`));
      return new Map(found.map(({ conversationId, readSeq }) => [conversationId, readSeq]));
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

/** Counts what a user has not read. */
export function unreadIn(
  records: Collection<RecordDocument>,
  states: Collection<MessageStateDocument>,
): Pick<RecordStore, "countUnread"> {
  return {
    async countUnread(query) {
      const recalled = await reading(() => recalledIn(states, query));
      const messages = await reading(() => records.countDocuments(unread(query, recalled), { limit: query.limit }));
      if (messages === 0) return { messages, mentions: 0 };
      const floor = query.toSeq - MENTIONS_WITHIN + 1n;
      const newest = { ...query, fromSeq: floor > query.fromSeq ? floor : query.fromSeq };
      const filter = { ...unread(newest, recalled), $or: [{ mentions: query.userId }, { mentionsAll: true }] };
      const mentions = await reading(() => records.countDocuments(filter, { limit: query.limit }));
      return { messages, mentions };
    },
  };
}

function unread({ conversationId, userId, fromSeq, toSeq }: UnreadQuery, recalled: readonly bigint[]) {
  const seq = { $gte: fromSeq, $lte: toSeq, ...(recalled.length === 0 ? {} : { $nin: [...recalled] }) };
  return { conversationId, seq, kind: "message", senderUserId: { $ne: userId } };
}

async function recalledIn(
  states: Collection<MessageStateDocument>,
  { conversationId, fromSeq, toSeq }: UnreadQuery,
): Promise<bigint[]> {
  const found = await states
    .find(
      { conversationId, seq: { $gte: fromSeq, $lte: toSeq }, recallSeq: { $exists: true } },
      { projection: { _id: 0, seq: 1 } },
    )
    .sort({ seq: 1 })
    .limit(RECALLED_READ)
    .toArray();
  return found.map(({ seq }) => seq);
}
