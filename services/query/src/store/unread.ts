import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document, Filter } from "mongodb";
import type { RecordStore, UserStretch } from "../ports.ts";
import type { MessageStateDocument } from "./changes.ts";
import type { RecordDocument } from "./records.ts";

/** Recalled messages that are left out of a count, the oldest first; more than are counted at all. */
const RECALLED_READ = 1000;

export interface MentionDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly seq: bigint;
}

/** Where what a user has not read is counted. */
export interface UnreadCollections {
  readonly records: Collection<RecordDocument>;
  readonly states: Collection<MessageStateDocument>;
  readonly mentions: Collection<MentionDocument>;
}

type UnreadStore = Pick<RecordStore, "countMessages" | "recalledIn" | "namedIn" | "mentionsAllIn" | "countOfOthers">;

/** Counts what a user has not read. */
export function unreadIn({ records, states, mentions }: UnreadCollections): UnreadStore {
  return {
    countMessages: ({ userId, limit, ...stretch }, except) =>
      reading(() => {
        const filter = { ...placesOf(stretch, except), kind: "message", senderUserId: { $ne: userId } };
        return records.countDocuments(filter, { limit });
      }),
    recalledIn: (stretch) => seqsIn(states, { ...placesOf(stretch), recallSeq: { $exists: true } }, RECALLED_READ),
    namedIn: ({ userId, limit, ...stretch }) => seqsIn(mentions, { userId, ...placesOf(stretch) }, limit),
    mentionsAllIn: ({ limit, ...stretch }) =>
      seqsIn(records, { ...placesOf(stretch), mentionsAll: { $exists: true } }, limit),
    countOfOthers: (conversationId, userId, seqs) =>
      reading(() => records.countDocuments({ conversationId, seq: { $in: [...seqs] }, senderUserId: { $ne: userId } })),
  };
}

type Places = Pick<UserStretch, "conversationId" | "fromSeq" | "toSeq">;

function placesOf({ conversationId, fromSeq, toSeq }: Places, except: readonly bigint[] = []) {
  return { conversationId, seq: { $gte: fromSeq, $lte: toSeq, ...(except.length === 0 ? {} : { $nin: [...except] }) } };
}

async function seqsIn<T extends Document & { readonly seq: bigint }>(
  collection: Collection<T>,
  filter: Filter<T>,
  limit: number,
): Promise<bigint[]> {
  const cursor = () =>
    collection
      .find(filter, { projection: { _id: 0, seq: 1 } })
      .sort({ seq: 1 })
      .limit(limit);
  return (await reading(() => cursor().toArray())).map(({ seq }) => seq);
}
