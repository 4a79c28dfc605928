import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredHeadSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { insertEach, isDuplicateKey, type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { Collection, Db, WriteError } from "mongodb";
import { RecordRefusedError } from "./errors.ts";
import type { Head, RecordRow, Store, UserConversation } from "./ports.ts";

/** BadValue, DollarPrefixedFieldName, DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong: the document's own fault. */
const REFUSED = new Set([2, 52, 121, 10334, 17280]);
/** How long the largest batch may take, and more. */
const SILENCE_MS = 20_000;

/** `_id` is the record's id: it makes the insert idempotent by itself and saves an index. */
interface RecordDocument {
  _id: string;
  conversationId: string;
  seq: bigint;
  recordId: string;
  senderUserId: string;
  clientMessageId?: string;
  kind: string;
  streamSequence: bigint;
  acceptedTime: Date;
  record: Uint8Array;
}

interface HeadDocument {
  _id: string;
  headSeq: bigint;
  streamSequence: bigint;
  lastTime: Date;
}

interface UserConversationDocument {
  _id: string;
  userId: string;
  conversationId: string;
  lastTime: Date;
}

/** Connects to the message store and makes its indexes. */
export const openStore = (options: MongoOptions): Promise<MongoStore & { close(): Promise<void> }> =>
  // A server that has stopped to answer must not hold a batch for ever: it is written again, which changes nothing.
  openMongo({ ...options, silenceMs: SILENCE_MS }, async (db) => {
    const store = new MongoStore(db);
    await store.createIndexes();
    return store;
  });

/** The message store's writing side. */
export class MongoStore implements Store {
  readonly #records: Collection<RecordDocument>;
  readonly #heads: Collection<HeadDocument>;
  readonly #userConversations: Collection<UserConversationDocument>;

  constructor(db: Db) {
    this.#records = db.collection(getOption(StoredRecordSchema, collection));
    this.#heads = db.collection(getOption(StoredHeadSchema, collection));
    this.#userConversations = db.collection(getOption(StoredUserConversationSchema, collection));
  }

  async createIndexes(): Promise<void> {
    await this.#records.createIndexes([
      { name: "place", key: { conversationId: 1, seq: 1 }, unique: true },
      {
        name: "clientMessage",
        key: { senderUserId: 1, clientMessageId: 1 },
        unique: true,
        partialFilterExpression: { clientMessageId: { $exists: true } },
      },
    ]);
    await this.#userConversations.createIndexes([{ name: "list", key: { userId: 1, lastTime: -1 } }]);
  }

  async insert(rows: readonly RecordRow[]): Promise<readonly number[]> {
    const errors = await insertEach(this.#records, rows.map(recordDocument));
    const other = errors.find((error) => !isDuplicateKey(error));
    if (other !== undefined) throw refusal(other);
    return errors.map(({ index }) => index);
  }

  async placesOf(recordIds: readonly string[]) {
    const found = this.#records.find(
      { _id: { $in: [...recordIds] } },
      { projection: { _id: 0, recordId: 1, conversationId: 1, seq: 1 } },
    );
    return (await found.toArray()).map(({ recordId, conversationId, seq }) => ({ recordId, conversationId, seq }));
  }

  async recordAt(conversationId: string, seq: bigint): Promise<string | undefined> {
    const found = await this.#records.findOne({ conversationId, seq }, { projection: { _id: 0, recordId: 1 } });
    return found?.recordId;
  }

  async moveHeads(heads: readonly Head[]): Promise<void> {
    if (heads.length === 0) return;
    await this.#heads.bulkWrite(
      heads.map(({ conversationId, ...move }) => ({
        updateOne: { filter: { _id: conversationId }, update: { $max: move }, upsert: true },
      })),
      { ordered: false },
    );
  }

  async moveUserConversations(conversations: readonly UserConversation[]): Promise<void> {
    if (conversations.length === 0) return;
    await this.#userConversations.bulkWrite(
      conversations.map(({ userId, conversationId, lastTime }) => ({
        updateOne: {
          filter: { _id: `${userId}:${conversationId}` },
          update: { $max: { lastTime }, $setOnInsert: { userId, conversationId } },
          upsert: true,
        },
      })),
      { ordered: false },
    );
  }
}

function recordDocument({ clientMessageId, ...row }: RecordRow): RecordDocument {
  // Absent, not undefined: the index over it holds only documents that have the field.
  return { _id: row.recordId, ...row, ...(clientMessageId === undefined ? {} : { clientMessageId }) };
}

function refusal(error: WriteError): Error {
  const text = `the store refuses a record: ${error.code} ${error.errmsg ?? ""}`;
  return REFUSED.has(error.code) ? new RecordRefusedError(text) : new Error(text);
}
