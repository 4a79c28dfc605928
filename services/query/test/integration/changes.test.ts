import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { ContentSchema } from "@oceanchat/gen/oceanchat/records/v1/content_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { testHost } from "@oceanchat/runtime/testing";
import { type Db, type Document, MongoClient } from "mongodb";
import { openLog } from "../../src/bus.ts";
import { createQueryCore, type QueryCore } from "../../src/core.ts";
import type { QueryPeers } from "../../src/ports.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { edit, react, recall, recordOf, shownOf, text } from "../support/model.ts";
import { noTail } from "../support/tiers.ts";

const alice = "00000000-0000-7000-8000-00000000000a";
const bob = "00000000-0000-7000-8000-00000000000b";
const conversationId = `d_${alice}_${bob}`;
const stream = streamOf(LogEntrySchema);
const raw = { afterSeq: 0n, beforeSeq: undefined, limit: 200, raw: true };
const asTheyStand = { ...raw, raw: false };

describe("query over what records change", () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let host: RunningHost;
  let bus: Bus;
  let db: Db;
  let mongo: MongoClient;
  let store: MongoRecordStore;
  let core: QueryCore;
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async () => [],
    groupsOf: async () => [],
    membersOf: async () => [],
  };
  const put = (collection: string, documents: readonly Document[]) =>
    db.collection(collection).insertMany([...documents]);

  /** Six records that the writer has written, and six that only the log has. */
  const written: LogRecord[] = [
    recordOf(1, alice),
    recordOf(2, bob),
    recordOf(3, alice, edit(1, "stored edit")),
    recordOf(4, bob, react(1, "👍")),
    recordOf(5, bob),
    recordOf(6, bob, recall(5)),
  ];
  const onlyLogged: LogRecord[] = [
    recordOf(7, alice),
    recordOf(8, bob, edit(2, "fresh edit")),
    recordOf(9, alice, react(1, "👍")),
    recordOf(10, bob, react(1, "👍", true)),
    recordOf(11, alice, recall(7)),
    recordOf(12, bob, { case: "message", value: { content: text("@alice"), mentions: [alice] } }),
  ];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    host = testHost("query");
    bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    store = await openStore({ url: servers.mongodbUrl, database: "query", name: "test", log: host.log });
    mongo = new MongoClient(servers.mongodbUrl, { useBigInt64: true });
    db = mongo.db("query");
    core = createQueryCore({ store, log: openLog(bus), peers, ...noTail });
    const sequences: number[] = [];
    for (const record of [...written, ...onlyLogged]) sequences.push(await append({ ...record, conversationId }));
    await put(
      "records",
      written.map((record, index) => row({ ...record, conversationId }, sequences[index] ?? 0)),
    );
    const content = toBinary(ContentSchema, create(ContentSchema, text("stored edit")));
    const editedTime = new Date(1_700_000_000_003);
    await put("message_states", [
      { _id: `${conversationId}:1`, conversationId, seq: 1n, editSeq: 3n, editedTime, content } as Document,
      { _id: `${conversationId}:5`, conversationId, seq: 5n, recallSeq: 6n } as Document,
    ]);
    await put("reactions", [{ conversationId, targetSeq: 1n, emoji: "👍", userId: bob, seq: 4n, removed: false }]);
  });

  after(async () => {
    await store?.close();
    await mongo?.close();
    await host?.stop();
    await servers?.stop();
  });

  async function append(record: LogRecord): Promise<number> {
    const subject = stream.subjectOf("conversation", { id: conversationId });
    const entry = toBinary(LogEntrySchema, create(LogEntrySchema, { record }));
    return (await bus.publish(subject, entry, { expectStream: stream.name })).sequence;
  }

  /** As persistence-writer does. */
  function row(record: LogRecord, streamSequence: number): Document {
    const { seq, recordId, senderUserId, body } = record;
    const mentions = body.case === "message" && body.value.mentions.length > 0 ? { mentions: body.value.mentions } : {};
    const encoded = toBinary(RecordSchema, record);
    const place = { conversationId, seq, recordId, senderUserId, kind: body.case };
    return { ...place, ...mentions, streamSequence: BigInt(streamSequence), record: encoded };
  }

  it("shows messages as they stand, with what the writer has not written yet", async () => {
    const { records, headSeq, firstSeq, lastSeq, hasMore } = await core.listRecords(alice, conversationId, asTheyStand);
    assert.deepEqual(
      { headSeq, firstSeq, lastSeq, hasMore },
      { headSeq: 12n, firstSeq: 1n, lastSeq: 12n, hasMore: false },
    );
    const nothing = { editedAt: undefined, recalled: false, reactions: [] };
    assert.deepEqual(
      records.map((record) => [Number(record.seq), shownOf(record)]),
      [
        [1, { ...nothing, text: "stored edit", editedAt: 3, reactions: [`👍 1 true ${alice}`] }],
        [2, { ...nothing, text: "fresh edit", editedAt: 8 }],
        [5, { ...nothing, text: undefined, recalled: true }],
        [7, { ...nothing, text: undefined, recalled: true }],
        [12, { ...nothing, text: "@alice" }],
      ],
    );
  });

  it("says which seqs a page covers that shows nothing", async () => {
    const page = await core.listRecords(bob, conversationId, { ...asTheyStand, afterSeq: 7n, limit: 3 });
    const { records, firstSeq, lastSeq, hasMore } = page;
    assert.deepEqual(
      { records, firstSeq, lastSeq, hasMore },
      { records: [], firstSeq: 8n, lastSeq: 10n, hasMore: true },
    );
    const end = await core.listRecords(bob, conversationId, { ...asTheyStand, afterSeq: 12n });
    assert.deepEqual([end.firstSeq, end.lastSeq, end.hasMore], [0n, 0n, false]);
  });

  it("gives the log as it is when asked for it", async () => {
    const { records } = await core.listRecords(alice, conversationId, raw);
    assert.deepEqual(
      records,
      [...written, ...onlyLogged].map((record) => ({ ...record, conversationId })),
    );
  });

  it("counts what comes after the read cursor, without the recalled and one's own", async () => {
    const { readSeq, unreadCount, unreadMentionCount } = await core.getConversation(alice, conversationId);
    assert.deepEqual([readSeq, unreadCount, unreadMentionCount], [0n, 2, 1], "2 and 12, which is not written yet");
    const last = onlyLogged.at(-1);
    assert.ok(last);
    await put("message_states", [{ _id: `${conversationId}:7`, conversationId, seq: 7n, recallSeq: 11n } as Document]);
    await put("mentions", [{ userId: alice, conversationId, seq: 12n }]);
    await put("records", [
      ...onlyLogged.slice(0, -1).map((record) => row({ ...record, conversationId }, Number(record.seq))),
      row({ ...last, conversationId }, 12),
    ]);
    // Another process, that has to find out what is stored.
    core = createQueryCore({ store, log: openLog(bus), peers, ...noTail });
    const { unreadCount: now, unreadMentionCount: mentions } = await core.getConversation(alice, conversationId);
    assert.deepEqual([now, mentions], [2, 1]);
    const cursor = { _id: `${alice}:${conversationId}`, userId: alice, conversationId, readSeq: 2n } as Document;
    await put("read_cursors", [cursor]);
    const read = await core.getConversation(alice, conversationId);
    assert.deepEqual([read.readSeq, read.unreadCount, read.unreadMentionCount], [2n, 1, 1]);
    const other = await core.getConversation(bob, conversationId);
    assert.deepEqual([other.readSeq, other.unreadCount, other.unreadMentionCount], [0n, 1, 0], "1; 7 is recalled");
  });

  it("says who has read, and who has received on which device ever", async () => {
    const cursor = (userId: string, deviceId: string, deliveredSeq: bigint, where = conversationId) => {
      const _id = `${userId}:${where}:${deviceId}`;
      return { _id, userId, conversationId: where, deviceId, deliveredSeq } as Document;
    };
    const devices = [cursor(alice, "phone", 5n), cursor(alice, "laptop", 9n), cursor(alice, "old", 1n)];
    await put("delivered_cursors", [...devices, cursor(bob, "phone", 11n), cursor(alice, "phone", 40n, "d_other")]);
    const found = await store.deliveredSeqsIn(conversationId, [alice, bob, conversationId]);
    assert.deepEqual(Object.fromEntries(found), { [alice]: 9n, [bob]: 11n });
    const receipts = [{ userId: alice, readSeq: 2n, deliveredSeq: 9n }];
    const ofBob = (seq: bigint) => core.getReadReceipts(bob, conversationId, seq);
    assert.deepEqual(await ofBob(2n), { readCount: 1, memberCount: 1, receipts });
    assert.deepEqual(await ofBob(12n), { readCount: 0, memberCount: 1, receipts });
    assert.equal(await store.countReaders(conversationId, [alice, bob], 2n), 1);
    assert.equal(await store.countReaders(conversationId, [alice, bob], 3n), 0);
  });
});
