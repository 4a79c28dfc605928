import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { Collection, Db } from "mongodb";
import type { Changes, Head, RecordRow, Store, UserConversation } from "./ports.ts";
import { applyChanges, type ChangeCollections, changeCollections, indexChanges } from "./store/changes.ts";
import { type HeadCollections, headCollections, headMoves, indexHeads, userConversationMoves } from "./store/heads.ts";
import { indexKeys, insertKeys, type KeyCollections, keyCollections } from "./store/keys.ts";
import { moveAll } from "./store/moves.ts";
import { type InTime, insertAll, inTimeOf } from "./store/writes.ts";

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
  readonly #heads: HeadCollections;
  readonly #changes: ChangeCollections;
  readonly #keys: KeyCollections;
  readonly #inTime: InTime;

  constructor(db: Db, writeMs: number) {
    this.#records = db.collection(getOption(StoredRecordSchema, collection));
    this.#heads = headCollections(db);
    this.#changes = changeCollections(db);
    this.#keys = keyCollections(db);
    this.#inTime = inTimeOf(writeMs);
  }

  async createIndexes(): Promise<void> {
    await this.#records.createIndexes([
      { name: "place", key: { conversationId: 1, seq: 1 }, unique: true },
      {
        name: "clientMessageKey",
        key: { senderUserId: 1, clientMessageId: 1 },
        unique: true,
        // Not `$exists`: the embedded store uses the index of a condition only for queries that it can prove to fulfil it.
        partialFilterExpression: { clientMessageId: { $gt: "" } },
      },
      {
        name: "mentionsAll",
        key: { conversationId: 1, seq: 1 },
        partialFilterExpression: { mentionsAll: { $exists: true } },
      },
    ]);
    await indexHeads(this.#heads);
    await indexChanges(this.#changes);
    await indexKeys(this.#keys);
  }

  insert(rows: readonly RecordRow[]): Promise<readonly number[]> {
    return insertAll(this.#records, rows.map(recordDocument), this.#inTime);
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

  async apply(changes: Changes): Promise<void> {
    await Promise.all([
      applyChanges(this.#changes, changes, this.#inTime),
      insertKeys(this.#keys, changes, this.#inTime),
    ]);
  }

  moveHeads(heads: readonly Head[]): Promise<void> {
    return moveAll(this.#heads.heads, headMoves(heads), this.#inTime);
  }

  moveUserConversations(conversations: readonly UserConversation[]): Promise<void> {
    return moveAll(this.#heads.userConversations, userConversationMoves(conversations), this.#inTime);
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
