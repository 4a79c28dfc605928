import { type DescMessage, fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import {
  StoredHeadSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo, reading } from "@oceanchat/runtime/mongo";
import type { Db, Document } from "mongodb";
import type { RecordStore } from "./ports.ts";

// The shapes are declared in records/v1/store.proto and written by persistence-writer, which also makes the indexes.
interface RecordDocument extends Document {
  readonly conversationId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  readonly kind: string;
  readonly streamSequence: bigint;
  readonly record: Uint8Array;
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

/** Connects to the message store. */
export const openStore = (options: MongoOptions): Promise<MongoRecordStore> => openMongo(options, storeOver);

function storeOver(db: Db): RecordStore {
  const named = <T extends Document>(schema: DescMessage) => db.collection<T>(getOption(schema, collection));
  const records = named<RecordDocument>(StoredRecordSchema);
  const heads = named<HeadDocument>(StoredHeadSchema);
  const userConversations = named<UserConversationDocument>(StoredUserConversationSchema);
  return {
    async range(conversationId, fromSeq, toSeq) {
      const found = await reading(() =>
        records
          .find(
            { conversationId, seq: { $gte: fromSeq, $lte: toSeq } },
            { projection: { record: 1, streamSequence: 1 } },
          )
          .sort({ seq: 1 })
          .toArray(),
      );
      return found.map(({ record, streamSequence }) => ({
        record: fromBinary(RecordSchema, record),
        streamSequence: Number(streamSequence),
      }));
    },
    async streamSequenceBefore(conversationId, seq) {
      const found = await reading(() =>
        records.findOne(
          { conversationId, seq: { $lt: seq } },
          { sort: { seq: -1 }, projection: { streamSequence: 1 } },
        ),
      );
      return found === null ? undefined : Number(found.streamSequence);
    },
    async heads(conversationIds) {
      const found = await reading(() => heads.find({ _id: { $in: [...conversationIds] } }).toArray());
      return new Map(found.map((head) => [head._id, { seq: head.headSeq, lastTimeMs: head.lastTime.getTime() }]));
    },
    async directConversations(userId, after, limit) {
      const found = await reading(() =>
        userConversations
          .find(after === undefined ? { userId } : { userId, ...following(after) })
          .sort({ lastTime: -1, conversationId: -1 })
          .limit(limit)
          .toArray(),
      );
      return found.map(({ conversationId, lastTime }) => ({ conversationId, lastTimeMs: lastTime.getTime() }));
    },
    countMessagesOfOthers: ({ conversationId, userId, fromSeq, toSeq, limit }) =>
      reading(() =>
        records.countDocuments(
          { conversationId, seq: { $gte: fromSeq, $lte: toSeq }, kind: "message", senderUserId: { $ne: userId } },
          { limit },
        ),
      ),
  };
}

/** What comes after a place in a list that is sorted by activity and id, both descending. */
function following({ lastTimeMs, conversationId }: { readonly lastTimeMs: number; readonly conversationId: string }) {
  const lastTime = new Date(lastTimeMs);
  return { $or: [{ lastTime: { $lt: lastTime } }, { lastTime, conversationId: { $lt: conversationId } }] };
}
