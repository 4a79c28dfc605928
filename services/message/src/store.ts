import { fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import {
  StoredAppendKeySchema,
  StoredHeadSchema,
  StoredMessageStateSchema,
  StoredReactionSchema,
  StoredRecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo, reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Filter } from "mongodb";
import { within } from "./deadline.ts";
import type { DeliveredStore, RecordStore } from "./ports.ts";
import { archiveIn } from "./store/archive.ts";
import { openDelivered } from "./store/delivered.ts";

/** The fields that are read; the message store is written by persistence-writer alone, which also keeps its indexes. */
interface HeadDocument {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
}
interface RecordDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  readonly clientMessageId?: string;
  readonly record: Uint8Array;
}

interface AppendKeyDocument {
  readonly _id: string;
  readonly recordId: string;
}

interface MessageStateDocument {
  readonly _id: string;
  readonly recallSeq?: bigint;
}

interface ReactionDocument {
  readonly _id: string;
  readonly emoji: string;
  readonly removed: boolean;
}

/** The store with its connection. */
export interface MongoMessageStore extends RecordStore, DeliveredStore {
  close(): Promise<void>;
}

/** An append waits for the answer, and all others of its log behind it. */
const READ_MS = 2_000;

/** Connects to the store. */
export const openStore = (options: MongoOptions): Promise<MongoMessageStore> =>
  openMongo({ ...options, waitMs: READ_MS }, async (db) => ({ ...storeOver(db), ...(await openDelivered(db)) }));

function storeOver(db: Db): RecordStore {
  const heads = db.collection<HeadDocument>(getOption(StoredHeadSchema, collection));
  const records = db.collection<RecordDocument>(getOption(StoredRecordSchema, collection));
  const reactions = db.collection<ReactionDocument>(getOption(StoredReactionSchema, collection));
  const appendKeys = db.collection<AppendKeyDocument>(getOption(StoredAppendKeySchema, collection));
  const states = db.collection<MessageStateDocument>(getOption(StoredMessageStateSchema, collection));
  const archive = archiveIn(db);
  const recordBy = async (filter: Filter<RecordDocument>): Promise<Record | undefined> => {
    const found = await soon(() => records.findOne(filter, { projection: { record: 1 } }));
    return found === null ? undefined : fromBinary(RecordSchema, found.record);
  };
  return {
    async head(logId) {
      const found = await soon(() => heads.findOne({ _id: logId }, { projection: { headSeq: 1, streamSequence: 1 } }));
      return found === null ? undefined : { seq: found.headSeq, streamSequence: Number(found.streamSequence) };
    },
    message: (senderUserId, clientMessageId) => recordBy({ senderUserId, clientMessageId }),
    // The archive second: what was moved between the two looks lies there since long before.
    record: async (logId, recordId) =>
      (await recordBy({ _id: recordId })) ?? (await soon(() => archive.record(logId, recordId))),
    at: async (conversationId, seq) =>
      (await recordBy({ conversationId, seq })) ?? (await soon(() => archive.at(conversationId, seq))),
    async appended(messageId) {
      const found = await soon(() => appendKeys.findOne({ _id: messageId }, { projection: { recordId: 1 } }));
      return found === null ? undefined : recordBy({ _id: found.recordId });
    },
    async recalled(conversationId, seq) {
      const filter = { _id: `${conversationId}:${seq}` };
      const found = await soon(() => states.findOne(filter, { projection: { recallSeq: 1 } }));
      return found?.recallSeq !== undefined;
    },
    reactionKinds: (conversationId, targetSeq, limit) =>
      soon(() => kindsOf(reactions, `${conversationId}:${targetSeq}:`, limit)),
  };
}

const soon = <T>(read: () => Promise<T>): Promise<T> => within(READ_MS, "the message store", reading(read));

/** Reads one document of each kind, however many users have reacted: a jump in the index from kind to kind. */
async function kindsOf(reactions: Collection<ReactionDocument>, prefix: string, limit: number): Promise<string[]> {
  const kinds: string[] = [];
  // Ids end with users' UUIDs: "g" is behind all of them, ";" behind ":".
  const $lt = `${prefix.slice(0, -1)};`;
  for (let $gt = prefix; kinds.length <= limit; ) {
    const filter = { _id: { $gt, $lt }, removed: false };
    const found = await reactions.findOne(filter, { sort: { _id: 1 }, projection: { emoji: 1 } });
    if (found === null) break;
    kinds.push(found.emoji);
    $gt = `${prefix}${found.emoji}:g`;
  }
  return kinds;
}
