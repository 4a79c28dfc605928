import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredHeadSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Host } from "@oceanchat/runtime/host";
import { type Collection, type Db, MongoBulkWriteError, MongoClient, MongoError } from "mongodb";
import type { Changes, Head, RecordRow, Store, UserConversation } from "./ports.ts";
import { applyChanges, type ChangeCollections, changeCollections, indexChanges } from "./store/changes.ts";
import { refusal } from "./store/refusal.ts";

const DUPLICATE_KEY = 11000;
const START_MS = 30_000;

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
  mentions?: readonly string[];
  mentionsAll?: true;
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

/** Connects to the message store and makes its indexes, waiting for the server up to half a minute. */
export async function openStore(
  { mongodbUrl, mongodbDatabase }: { readonly mongodbUrl: string; readonly mongodbDatabase: string },
  log: Host["log"],
): Promise<MongoStore> {
  const client = new MongoClient(mongodbUrl, {
    appName: "oceanchat-persistence-writer",
    maxPoolSize: 20,
    serverSelectionTimeoutMS: 5000,
    // A server that has stopped to answer must not hold a batch for ever: it is written again, which changes nothing.
    socketTimeoutMS: 20_000,
    useBigInt64: true,
    writeConcern: { w: "majority", journal: true },
  });
  const store = new MongoStore(client, client.db(mongodbDatabase));
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      await store.createIndexes();
      return store;
    } catch (error) {
      if (!(error instanceof MongoError) || performance.now() > deadline) {
        await client.close();
        throw error;
      }
      log.warn({ err: error }, "the document store is not ready yet");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** The message store's writing side. */
export class MongoStore implements Store {
  readonly #client: MongoClient;
  readonly #records: Collection<RecordDocument>;
  readonly #heads: Collection<HeadDocument>;
  readonly #userConversations: Collection<UserConversationDocument>;
  readonly #changes: ChangeCollections;

  constructor(client: MongoClient, db: Db) {
    this.#client = client;
    this.#records = db.collection(getOption(StoredRecordSchema, collection));
    this.#heads = db.collection(getOption(StoredHeadSchema, collection));
    this.#userConversations = db.collection(getOption(StoredUserConversationSchema, collection));
    this.#changes = changeCollections(db);
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
    await indexChanges(this.#changes);
  }

  async insert(rows: readonly RecordRow[]): Promise<readonly number[]> {
    try {
      await this.#records.insertMany(rows.map(recordDocument), { ordered: false });
      return [];
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      const errors = [error.writeErrors].flat();
      // A lost connection looks the same, but for the rows that it says nothing about.
      const answered = error.insertedCount + errors.length === rows.length;
      if (!answered || error.result.getWriteConcernError() !== undefined) throw error;
      const other = errors.find(({ code }) => code !== DUPLICATE_KEY);
      if (other !== undefined) throw refusal(other, error);
      return errors.map(({ index }) => index);
    }
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

  apply(changes: Changes): Promise<void> {
    return applyChanges(this.#changes, changes);
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

  close(): Promise<void> {
    return this.#client.close();
  }
}

function recordDocument({ clientMessageId, mentions, mentionsAll, ...row }: RecordRow): RecordDocument {
  return {
    _id: row.recordId,
    ...row,
    // Absent, not undefined: the index over it holds only documents that have the field.
    ...(clientMessageId === undefined ? {} : { clientMessageId }),
    ...(mentions.length === 0 ? {} : { mentions }),
    ...(mentionsAll ? { mentionsAll } : {}),
  };
}
