import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { Binary, type Db, type Document, MongoClient } from "mongodb";
import { type WritableEntry, writableEntry } from "../../src/core/entry.ts";
import { createWriterCore } from "../../src/core.ts";
import { type MongoStore, openStore } from "../../src/store.ts";
import {
  ALICE,
  BOB,
  contentOf,
  DIRECT,
  edit,
  entry,
  GROUP,
  id,
  mentioning,
  reaction,
  readCursor,
  recall,
  settings,
  T0,
} from "../support/entries.ts";
import { noTail } from "../support/memory-store.ts";

const COLLECTIONS = [
  "message_states",
  "reactions",
  "read_cursors",
  "conversation_settings",
  "mentions",
  "append_keys",
  "conversation_heads",
  "user_conversations",
];
const binary = (text: string) => new Binary(toBinary(ContentSchema, contentOf(text)));

describe("what records change", () => {
  let servers: TestServers;
  let stores: Awaited<ReturnType<typeof openStore>>[];
  let client: MongoClient;
  let db: Db;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    const at = { url: servers.mongodbUrl, database: "oceanchat", name: "test", log: silentLog };
    stores = await Promise.all([openStore(at), openStore(at)]);
    client = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    db = client.db("oceanchat");
  });

  after(async () => {
    await Promise.all(stores?.map((store) => store.close()) ?? []);
    await client?.close();
    await servers?.stop();
  });

  beforeEach(async () => {
    await Promise.all([...COLLECTIONS, "records"].map((name) => db.collection(name).deleteMany({})));
  });

  const writable = (...args: Parameters<typeof entry>) =>
    writableEntry(entry(...args), { streamSequence: BigInt(args[1]), messageId: `key ${args[1]}` });
  const state = async (): Promise<Record<string, Document[]>> =>
    Object.fromEntries(
      await Promise.all(
        COLLECTIONS.map(async (name) => [name, await db.collection(name).find().sort({ _id: 1 }).toArray()] as const),
      ),
    );
  const log: WritableEntry[] = [
    writable(1, 1),
    writable(2, 2),
    writable(3, 3, edit(1, "$three")),
    writable(4, 4, reaction(1, "$👍")),
    writable(5, 5, edit(1, "five")),
    writable(6, 6, { ...reaction(1, "$👍"), senderUserId: BOB }),
    writable(7, 7, reaction(1, "$👍", true)),
    writable(8, 8, recall(2)),
    writable(9, 9, edit(2, "nine")),
    writable(10, 10, recall(2)),
    writable(1, 11, readCursor(BOB, 4)),
    writable(2, 12, readCursor(BOB, 9)),
    writable(3, 13, settings(BOB, { pinned: true, mutedUntilMs: T0 })),
    writable(4, 14, settings(BOB, { mutedUntilMs: T0 + 9000 })),
    writable(5, 15, settings(BOB, { pinned: false })),
    writable(11, 16, mentioning(16, [ALICE, BOB], true)),
    writable(12, 17, mentioning(17, [BOB])),
    writable(13, 18, { conversationId: GROUP, ...recall(1) }),
  ];
  const encoded = (recordId: number) => {
    const row = log.find(({ row }) => row.recordId === id(recordId))?.row;
    assert.ok(row);
    return { seq: row.seq, lastTime: row.acceptedTime, lastRecord: new Binary(row.record) };
  };
  const head = (_id: string, recordId: number, marks: Record<string, bigint> = {}) => {
    const { seq, ...last } = encoded(recordId);
    return { _id, headSeq: seq, streamSequence: BigInt(recordId), ...last, ...marks };
  };
  const listed = (userId: string) => ({
    _id: `${userId}:${DIRECT}`,
    userId,
    conversationId: DIRECT,
    lastTime: new Date(T0 + 12_000),
    streamSequence: 17n,
  });
  const mention = (userId: string, seq: number) => ({
    _id: `${userId}:${DIRECT}:${seq}`,
    userId,
    conversationId: DIRECT,
    seq: BigInt(seq),
  });
  const key = (recordId: number, seq: number, conversationId = DIRECT) => ({
    _id: `key ${recordId}`,
    recordId: id(recordId),
    conversationId,
    seq: BigInt(seq),
    acceptedTime: new Date(T0 + seq * 1000),
  });
  const reactionOf = (userId: string, seq: bigint, removed: boolean) => ({
    _id: `${DIRECT}:1:$👍:${userId}`,
    conversationId: DIRECT,
    targetSeq: 1n,
    emoji: "$👍",
    userId,
    seq,
    removed,
  });
  const edited = (seq: bigint, editSeq: number, text: string) => ({
    _id: `${DIRECT}:${seq}`,
    conversationId: DIRECT,
    seq,
    editSeq: BigInt(editSeq),
    editedTime: new Date(T0 + editSeq * 1000),
    flags: [text],
    content: binary(text),
  });
  const final = {
    message_states: [
      edited(1n, 5, "five"),
      { ...edited(2n, 9, "nine"), recallSeq: 10n },
      { _id: `${GROUP}:1`, conversationId: GROUP, seq: 1n, recallSeq: 13n },
    ],
    reactions: [reactionOf(ALICE, 7n, true), reactionOf(BOB, 6n, false)],
    read_cursors: [{ _id: `${BOB}:${DIRECT}`, userId: BOB, conversationId: DIRECT, readSeq: 9n }],
    conversation_settings: [
      {
        _id: `${BOB}:${DIRECT}`,
        userId: BOB,
        conversationId: DIRECT,
        pinned: false,
        pinnedSeq: 5n,
        mutedUntil: new Date(T0 + 9000),
        mutedSeq: 4n,
      },
    ],
    mentions: [mention(ALICE, 11), mention(BOB, 11), mention(BOB, 12)],
    append_keys: [
      key(10, 10),
      key(13, 3, `u_${BOB}`),
      key(14, 4, `u_${BOB}`),
      key(15, 5, `u_${BOB}`),
      key(18, 13, GROUP),
      key(3, 3),
      key(5, 5),
      key(8, 8),
      key(9, 9),
    ],
    conversation_heads: [
      head(DIRECT, 17, { lastRecalledSeq: 2n, lastMentionAllSeq: 11n }),
      head(GROUP, 18, { lastRecalledSeq: 1n }),
      head(`u_${BOB}`, 15),
    ],
    user_conversations: [listed(ALICE), listed(BOB)],
  };

  async function writeAll(store: MongoStore | undefined, batches: readonly (readonly WritableEntry[])[]) {
    assert.ok(store);
    // A rejection means that the batch comes again, as the log does it.
    for (const batch of batches) {
      for (let tries = 1; ; tries++) {
        try {
          await createWriterCore(store, noTail).write(batch);
          break;
        } catch (error) {
          if (tries === 5) throw error;
        }
      }
    }
  }

  it("is kept in the store, in one batch", async () => {
    await writeAll(stores[0], [log]);
    assert.deepEqual(await state(), final);
    assert.equal(await db.collection("records").countDocuments(), log.length);
  });

  it("is the same whatever order the records come in, and however often", async () => {
    await writeAll(
      stores[0],
      log.map((each) => [each]),
    );
    assert.deepEqual(await state(), final);
    await writeAll(
      stores[0],
      log.toReversed().map((each) => [each]),
    );
    assert.deepEqual(await state(), final, "written again, backwards");
    await Promise.all(COLLECTIONS.map((name) => db.collection(name).deleteMany({})));
    await writeAll(
      stores[0],
      log.toReversed().map((each) => [each]),
    );
    assert.deepEqual(await state(), final, "backwards from the beginning");
  });

  it("is the same when several writers have the same records at the same time", async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all(COLLECTIONS.map((name) => db.collection(name).deleteMany({})));
      const cut = 1 + round * 2;
      await Promise.all([
        writeAll(stores[0], [log.slice(cut), log.slice(0, cut)]),
        writeAll(stores[1], [log.slice(0, cut), log.slice(cut)]),
      ]);
      assert.deepEqual(await state(), final, `round ${round}`);
    }
  });

  it("expires append keys after 7 days", async () => {
    const expiry = (await db.collection("append_keys").indexes()).find(({ name }) => name === "expiry");
    assert.deepEqual([expiry?.key, Number(expiry?.expireAfterSeconds)], [{ acceptedTime: 1 }, 7 * 86_400]);
  });

  it("keeps who a message mentions with the record", async () => {
    const mention = { body: { case: "message" as const, value: { mentions: [BOB], mentionsAll: true } } };
    await writeAll(stores[0], [[writable(1, 1, mention), writable(2, 2)]]);
    const [first, second] = await db.collection("records").find().sort({ seq: 1 }).toArray();
    assert.deepEqual([first?.mentions, first?.mentionsAll], [[BOB], true]);
    assert.deepEqual([second && "mentions" in second, second && "mentionsAll" in second], [false, false]);
    assert.equal(first?.recordId, id(1));
  });
});
