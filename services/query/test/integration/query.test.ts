import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { startServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { decodePageToken, encodePageToken } from "@oceanchat/runtime/page-token";
import { streamOf } from "@oceanchat/runtime/streams";
import { testHost } from "@oceanchat/runtime/testing";
import { openRelay, type Relay } from "@oceanchat/runtime/testing-relay";
import { type Db, Long, MongoClient } from "mongodb";
import { openLog } from "../../src/bus.ts";
import { placeFields, placeOfFields } from "../../src/core/list-place.ts";
import { type ListRequest, listConversations } from "../../src/core/lists.ts";
import { createQueryCore, type QueryCore } from "../../src/core.ts";
import type { QueryPeers } from "../../src/ports.ts";
import { followLog } from "../../src/recent.ts";
import { type MongoRecordStore, openStore } from "../../src/store.ts";
import { noTail } from "../support/tiers.ts";

const alice = "00000000-0000-7000-8000-00000000000a";
const bob = "00000000-0000-7000-8000-00000000000b";
const group = "00000000-0000-7000-8000-0000000000f1";
const stream = streamOf(LogEntrySchema);

describe("query over the message store and the log", () => {
  let servers: Awaited<ReturnType<typeof startServers>>;
  let host: RunningHost;
  let bus: Bus;
  let db: Db;
  let mongo: MongoClient;
  let store: MongoRecordStore;
  let relay: Relay;
  let core: QueryCore;
  let recent: ReturnType<typeof followLog>;
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async (groupId, userId) =>
      groupId === group && userId === alice ? [{ fromSeq: 1n, toSeq: undefined }] : [],
    groupsOf: async (userId) => (userId === alice ? [{ groupId: group, fromSeq: 1n }] : []),
    membersOf: async () => [alice, bob],
  };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    host = testHost("query");
    bus = await host.bus(servers.natsUrl);
    await bus.ensureStream(LogEntrySchema);
    relay = await openRelay(servers.mongodbUrl);
    store = await openStore({ url: relay.url, database: "query", name: "test", log: host.log });
    mongo = new MongoClient(servers.mongodbUrl);
    db = mongo.db("query");
    recent = followLog(bus, { maxLogs: 1000, waitMs: 20_000, log: host.log });
    core = createQueryCore({ store, log: openLog(bus), peers, ...noTail });
  });

  after(async () => {
    await recent?.stop();
    await store?.close();
    await relay?.close();
    await mongo?.close();
    await host?.stop();
    await servers?.stop();
  });

  const said = (conversationId: string, seq: number, senderUserId = bob) =>
    create(RecordSchema, {
      conversationId,
      seq: BigInt(seq),
      recordId: `r-${seq}`,
      senderUserId,
      acceptedTime: timestampFromMs(1_700_000_000_000 + seq),
      body: { case: "message", value: { content: { kind: { case: "text", value: { text: `hi ${seq}` } } } } },
    });
  const append = async (record: LogRecord) =>
    (
      await bus.publish(
        stream.subjectOf("conversation", { id: record.conversationId }),
        toBinary(LogEntrySchema, create(LogEntrySchema, { record })),
        { expectStream: stream.name },
      )
    ).sequence;
  /** As persistence-writer does. */
  const write = async (record: LogRecord, streamSequence: number) => {
    const { conversationId, seq, recordId, senderUserId } = record;
    const lastTime = new Date(1_700_000_000_000 + Number(seq));
    await db.collection("records").insertOne({
      conversationId,
      seq: Long.fromBigInt(seq),
      recordId,
      senderUserId,
      kind: "message",
      streamSequence: Long.fromNumber(streamSequence),
      record: toBinary(RecordSchema, record),
    });
    const head = { headSeq: Long.fromBigInt(seq), streamSequence: Long.fromNumber(streamSequence), lastTime };
    await db
      .collection<{ _id: string }>("conversation_heads")
      .updateOne({ _id: conversationId }, { $max: head }, { upsert: true });
    for (const userId of conversationId.startsWith("d_") ? conversationId.slice(2).split("_") : []) {
      await db
        .collection<{ _id: string }>("user_conversations")
        .updateOne(
          { _id: `${userId}:${conversationId}` },
          { $set: { userId, conversationId }, $max: { lastTime } },
          { upsert: true },
        );
    }
  };
  const list = (request: ListRequest) => {
    const groups = [{ groupId: group, fromSeq: 1n, toSeq: undefined, joinTimeMs: 0 }];
    const { describe } = core;
    const sources = { store, moves: store, log: openLog(bus), recent, describe };
    return listConversations({ ...sources, peers: { memberships: async () => groups } }, alice, request);
  };
  const seqsOf = ({ records }: { records: readonly LogRecord[] }) => records.map(({ seq }) => Number(seq));
  const all = { afterSeq: 0n, beforeSeq: undefined, limit: 200, raw: false };

  it("reads what was accepted at once, written or not", async () => {
    const conversation = `d_${alice}_${bob}`;
    for (let seq = 1; seq <= 6; seq++) {
      const sequence = await append(said(conversation, seq));
      if (seq <= 3) await write(said(conversation, seq), sequence);
    }
    const answer = await core.listRecords(alice, conversation, all);
    assert.deepEqual(seqsOf(answer), [1, 2, 3, 4, 5, 6]);
    assert.equal(answer.headSeq, 6n);
    assert.equal(answer.hasMore, false);
    assert.deepEqual(
      seqsOf(await core.listRecords(bob, conversation, { ...all, afterSeq: undefined, limit: 2 })),
      [5, 6],
    );
    assert.deepEqual(
      seqsOf(await core.listRecords(bob, conversation, { afterSeq: undefined, beforeSeq: 5n, limit: 3, raw: false })),
      [2, 3, 4],
    );
  });

  it("reads from the store alone what the log has let go", async () => {
    const conversation = `g_${group}`;
    for (let seq = 1; seq <= 3; seq++) await write(said(conversation, seq), seq);
    assert.deepEqual(seqsOf(await core.listRecords(alice, conversation, all)), [1, 2, 3]);
  });

  it("shows strangers nothing", async () => {
    await assert.rejects(core.listRecords(bob, `g_${group}`, all), { reason: "ERROR_REASON_CONVERSATION_NOT_FOUND" });
    await assert.rejects(core.getConversation(bob, `g_${group}`), { reason: "ERROR_REASON_CONVERSATION_NOT_FOUND" });
    await assert.rejects(core.listRecords(alice, `g_${group}`, { afterSeq: 1n, beforeSeq: 2n, limit: 1, raw: false }), {
      reason: "ERROR_REASON_BOTH_DIRECTIONS",
    });
  });

  it("lists conversations by activity, page by page, with last record and unread count", async () => {
    const first = await list({ pageSize: 1, after: undefined });
    const token = encodePageToken(placeFields(first.next ?? assert.fail("a second page")));
    const second = await list({ pageSize: 1, after: decodePageToken(token, placeOfFields) });
    assert.deepEqual(
      [...first.conversations, ...second.conversations].map((each) => each.conversationId),
      [`d_${alice}_${bob}`, `g_${group}`],
    );
    // Nobody has acknowledged its records, so it may have moved since.
    const third = second.next && (await list({ pageSize: 1, after: second.next }));
    assert.deepEqual(
      third?.conversations.map((each) => each.conversationId),
      [`d_${alice}_${bob}`],
    );
    assert.equal(third?.next, undefined);
    const direct = await core.getConversation(alice, `d_${alice}_${bob}`);
    assert.equal(direct.headSeq, 6n);
    assert.equal(direct.peerUserId, bob);
    assert.equal((direct.lastRecord as LogRecord).seq, 6n);
    assert.equal(direct.unreadCount, 6, "written or not");
    assert.equal((await core.getConversation(bob, `d_${alice}_${bob}`)).unreadCount, 0, "one's own don't count");
  });

  it("answers UNAVAILABLE while the store is away and the log can't help", async function () {
    this.timeout(60_000);
    relay.cut();
    await assert.rejects(core.listRecords(alice, `g_${group}`, all), { reason: "ERROR_REASON_UNAVAILABLE" });
    relay.mend();
    assert.deepEqual(seqsOf(await core.listRecords(alice, `g_${group}`, all)), [1, 2, 3]);
  });
});
