import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredHeadSchema,
  StoredRecordSchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { isDuplicateKey, type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import { type Collection, type Db, MongoBulkWriteError } from "mongodb";
import type { Changes, Head, RecordRow, Store, UserConversation } from "./ports.ts";
import { applyChanges, type ChangeCollections, changeCollections, indexChanges } from "./store/changes.ts";
import { refusal } from "./store/refusal.ts";

/** How long a write may take, in milliseconds: more than the largest batch needs. */
const WRITE_MS = 10_000;

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

/** Connects to the message store and makes its indexes. */
export const openStore = (
  options: MongoOptions,
  writeMs = WRITE_MS,
): Promise<MongoStore & { close(): Promise<void> }> =>
  openMongo({ silenceMs: writeMs, ...options }, async (db) => {
    const store = new MongoStore(db, writeMs);
    await store.createIndexes();
    return store;
  });

/** The message store's writing side. */
export class MongoStore implements Store {
  readonly #records: Collection<RecordDocument>;
  readonly #heads: Collection<HeadDocument>;
  readonly #userConversations: Collection<UserConversationDocument>;
  readonly #changes: ChangeCollections;
  readonly #writeMs: number;

  constructor(db: Db, writeMs: number) {
    this.#records = db.collection(getOption(StoredRecordSchema, collection));
    this.#heads = db.collection(getOption(StoredHeadSchema, collection));
    this.#userConversations = db.collection(getOption(StoredUserConversationSchema, collection));
    this.#changes = changeCollections(db);
    this.#writeMs = writeMs;
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
      await this.#inTime((options) => this.#records.insertMany(rows.map(recordDocument), options));
      return [];
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
      const errors = [error.writeErrors].flat();
      // A lost connection looks the same, but for the rows that it says nothing about.
      const answered = error.insertedCount + errors.length === rows.length;
      if (!answered || error.result.getWriteConcernError() !== undefined) throw error;
      const other = errors.find((each) => !isDuplicateKey(each));
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
    return applyChanges(this.#changes, changes, (write) => this.#inTime(write));
  }

  async moveHeads(heads: readonly Head[]): Promise<void> {
    if (heads.length === 0) return;
    const moves = heads.map(({ conversationId, ...move }) => ({
      updateOne: { filter: { _id: conversationId }, update: { $max: move }, upsert: true },
    }));
    await this.#inTime((options) => this.#heads.bulkWrite(moves, options));
  }

  async moveUserConversations(conversations: readonly UserConversation[]): Promise<void> {
    if (conversations.length === 0) return;
    const moves = conversations.map(({ userId, conversationId, lastTime }) => ({
      updateOne: {
        filter: { _id: `${userId}:${conversationId}` },
        update: { $max: { lastTime }, $setOnInsert: { userId, conversationId } },
        upsert: true,
      },
    }));
    await this.#inTime((options) => this.#userConversations.bulkWrite(moves, options));
  }

  /**
   * Gives a write up after a time. The driver waits for ever to write to a socket that it has closed itself, whatever its
   * own timeouts are; but it heeds a signal at every step, though its types name one only for reads.
   */
  async #inTime(write: (options: { readonly ordered: false; readonly signal: AbortSignal }) => Promise<unknown>) {
    const deadline = new AbortController();
    const late = () => deadline.abort(new Error(`the store did not answer in ${this.#writeMs} ms`));
    const timer = setTimeout(late, this.#writeMs);
    try {
      await write({ ordered: false, signal: deadline.signal });
    } finally {
      clearTimeout(timer);
    }
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
