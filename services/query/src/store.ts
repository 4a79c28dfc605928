import { type DescMessage, fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import {
  StoredHeadSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { shared } from "@oceanchat/runtime/fail";
import { type Binary, type Collection, type Document, MongoClient } from "mongodb";
import type { RecordStore } from "./ports.ts";

// The shapes are declared in records/v1/store.proto and written by persistence-writer, which also makes the indexes.
interface RecordDocument extends Document {
  readonly conversationId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  readonly kind: string;
  readonly streamSequence: bigint;
  readonly record: Binary;
}

interface HeadDocument extends Document {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly lastTime: Date;
}

interface UserConversationDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly lastTime: Date;
}

/** The store with its connection. */
export interface MongoRecordStore extends RecordStore {
  close(): Promise<void>;
}

/** Connects to the message store. Reads wait at most 5 s for a server. */
export async function openStore(url: string, database: string): Promise<MongoRecordStore> {
  const client = new MongoClient(url, { useBigInt64: true, maxPoolSize: 20, serverSelectionTimeoutMS: 5_000 });
  const db = client.db(database);
  const named = <T extends Document>(schema: DescMessage) => db.collection<T>(getOption(schema, collection));
  const store = storeOver(
    named<RecordDocument>(StoredRecordSchema),
    named<HeadDocument>(StoredHeadSchema),
    named<UserConversationDocument>(StoredUserConversationSchema),
  );
  return { ...store, close: () => client.close() };
}

function storeOver(
  records: Collection<RecordDocument>,
  heads: Collection<HeadDocument>,
  userConversations: Collection<UserConversationDocument>,
): RecordStore {
  return {
    async range(conversationId, fromSeq, toSeq) {
      const found = await records
        .find({ conversationId, seq: { $gte: fromSeq, $lte: toSeq } }, { projection: { record: 1, streamSequence: 1 } })
        .sort({ seq: 1 })
        .toArray()
        .catch(unreachable);
      return found.map(({ record, streamSequence }) => ({
        record: fromBinary(RecordSchema, record.buffer.subarray(0, record.position)),
        streamSequence: Number(streamSequence),
      }));
    },
    async streamSequenceBefore(conversationId, seq) {
      const found = await records
        .findOne({ conversationId, seq: { $lt: seq } }, { sort: { seq: -1 }, projection: { streamSequence: 1 } })
        .catch(unreachable);
      return found === null ? undefined : Number(found.streamSequence);
    },
    async heads(conversationIds) {
      const found = await heads
        .find({ _id: { $in: [...conversationIds] } })
        .toArray()
        .catch(unreachable);
      return new Map(found.map((head) => [head._id, { seq: head.headSeq, lastTimeMs: head.lastTime.getTime() }]));
    },
    async directConversations(userId, after, limit) {
      const found = await userConversations
        .find(after === undefined ? { userId } : { userId, ...following(after) })
        .sort({ lastTime: -1, conversationId: -1 })
        .limit(limit)
        .toArray()
        .catch(unreachable);
      return found.map(({ conversationId, lastTime }) => ({ conversationId, lastTimeMs: lastTime.getTime() }));
    },
    countMessagesOfOthers: ({ conversationId, userId, fromSeq, toSeq, limit }) =>
      records
        .countDocuments(
          { conversationId, seq: { $gte: fromSeq, $lte: toSeq }, kind: "message", senderUserId: { $ne: userId } },
          { limit },
        )
        .catch(unreachable),
  };
}

/** What comes after a place in a list that is sorted by activity and id, both descending. */
function following({ lastTimeMs, conversationId }: { readonly lastTimeMs: number; readonly conversationId: string }) {
  const lastTime = new Date(lastTimeMs);
  return { $or: [{ lastTime: { $lt: lastTime } }, { lastTime, conversationId: { $lt: conversationId } }] };
}

function unreachable(error: unknown): never {
  throw shared.unavailable("the message store can't be read", error);
}
