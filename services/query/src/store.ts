import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredHeadSchema,
  StoredMessageStateSchema,
  StoredReactionSchema,
  StoredReadCursorSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo, reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Document } from "mongodb";
import type { RecordStore } from "./ports.ts";
import { changesIn, type MessageStateDocument, type ReactionDocument } from "./store/changes.ts";
import { type RecordDocument, recordsIn } from "./store/records.ts";
import { cursorsIn, type ReadCursorDocument, unreadIn } from "./store/unread.ts";

// The shapes are declared in records/v1/store.proto and written by persistence-writer, which also makes the indexes.
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
  const states = named<MessageStateDocument>(StoredMessageStateSchema);
  return {
    ...recordsIn(records),
    ...listsIn(named<HeadDocument>(StoredHeadSchema), named<UserConversationDocument>(StoredUserConversationSchema)),
    ...changesIn(states, named<ReactionDocument>(StoredReactionSchema)),
    ...unreadIn(records, states),
    ...cursorsIn(named<ReadCursorDocument>(StoredReadCursorSchema)),
  };
}

function listsIn(
  heads: Collection<HeadDocument>,
  userConversations: Collection<UserConversationDocument>,
): Pick<RecordStore, "heads" | "directConversations"> {
  return {
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
  };
}

/** What comes after a place in a list that is sorted by activity and id, both descending. */
function following({ lastTimeMs, conversationId }: { readonly lastTimeMs: number; readonly conversationId: string }) {
  const lastTime = new Date(lastTimeMs);
  return { $or: [{ lastTime: { $lt: lastTime } }, { lastTime, conversationId: { $lt: conversationId } }] };
}
