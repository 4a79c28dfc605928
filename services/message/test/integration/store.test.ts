import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create, getOption, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { MessageBodySchema, type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { StoredHeadSchema, StoredRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { streamOf } from "@oceanchat/runtime/streams";
import { testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { entriesOf, type RunningMessage, startMessage } from "../support/running.ts";

const alice = v7();
const toGroup = (groupId: string) => ({ case: "groupId", value: groupId }) as const;

describe("message and the message store", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  let bus: Bus;
  let client: MongoClient;
  let message: RunningMessage;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
    bus = await host.bus(servers.natsUrl);
    client = await MongoClient.connect(servers.mongodbUrl, { useBigInt64: true });
    message = await startMessage(servers, peers);
  });
  after(async () => {
    await Promise.all([message?.stop(), host?.stop(), client?.close()]);
    await peers?.close();
    await servers?.stop();
  });

  const storeHead = (logId: string, headSeq: bigint, streamSequence: bigint) =>
    client
      .db("oceanchat")
      .collection<{ _id: string }>(getOption(StoredHeadSchema, collection))
      .insertOne({ _id: logId, headSeq, streamSequence, lastTime: new Date() } as { _id: string });

  const storeRecord = (record: Record, clientMessageId: string, streamSequence: bigint) => {
    const { conversationId, seq, recordId, senderUserId } = record;
    const bytes = toBinary(RecordSchema, record);
    const place = { conversationId, seq, recordId, senderUserId, clientMessageId, kind: "message", streamSequence };
    return client
      .db("oceanchat")
      .collection(getOption(StoredRecordSchema, collection))
      .insertOne({ ...place, acceptedTime: new Date(), record: bytes });
  };

  const stored = (groupId: string, text: string, clientMessageId: string, seq: bigint) => {
    const content = { kind: { case: "text" as const, value: { text } } };
    const record = create(RecordSchema, { conversationId: `g_${groupId}`, seq, recordId: v7(), senderUserId: alice });
    record.acceptedTime = timestampFromMs(Date.now() - 86_400_000 * 30);
    record.body = { case: "message", value: create(MessageBodySchema, { clientMessageId, content }) };
    return record;
  };

  it("goes on behind the head that only the store has", async () => {
    const groupId = v7();
    await storeHead(`g_${groupId}`, 41n, 0n);
    const request = saying("back after a month", { target: toGroup(groupId), clientMessageId: v4() });
    assert.equal((await message.send(alice, request)).seq, 42n);
    const next = saying("next", { target: toGroup(groupId), clientMessageId: v4() });
    assert.equal((await message.send(alice, next)).seq, 43n);
  });

  it("goes on behind the store's head when the stream has dropped the log's records meanwhile", async () => {
    const groupId = v7();
    for (const text of ["1", "2", "3"]) {
      await message.send(alice, saying(text, { target: toGroup(groupId), clientMessageId: v4() }));
    }
    await storeHead(`g_${groupId}`, 3n, 3n);
    const log = streamOf(LogEntrySchema);
    const filter = log.subjectOf("conversation", { id: `g_${groupId}` });
    bus.signal(`$JS.API.STREAM.PURGE.${log.name}`, Buffer.from(JSON.stringify({ filter })));
    while ((await bus.lastBySubject(log.name, filter)) !== undefined) await nextTurn();
    const request = saying("4", { target: toGroup(groupId), clientMessageId: v4() });
    assert.equal((await message.send(alice, request)).seq, 4n);
  });

  it("recognises a repeat after a month, in the store", async () => {
    const groupId = v7();
    const clientMessageId = v4();
    const record = stored(groupId, "long ago", clientMessageId, 7n);
    await storeRecord(record, clientMessageId, 1n);
    await storeHead(`g_${groupId}`, 7n, 1n);
    const repeat = saying("long ago", { target: toGroup(groupId), clientMessageId, attempt: 2 });
    const accepted = await message.send(alice, repeat);
    assert.deepEqual([accepted.recordId, accepted.seq, accepted.duplicate], [record.recordId, 7n, true]);
    assert.deepEqual((await message.as(alice).sendMessage(repeat)).record, record);
    const other = saying("something else", { target: toGroup(groupId), clientMessageId, attempt: 2 });
    await assert.rejects(message.send(alice, other), reason("IDEMPOTENCY_MISMATCH"));
    assert.deepEqual(await entriesOf(bus, `g_${groupId}`), []);
  });

  it("recognises a repeat of what the store hasn't got yet", async () => {
    const groupId = v7();
    const request = saying("not written yet", { target: toGroup(groupId), clientMessageId: v4() });
    const first = await message.send(alice, request);
    const again = await message.send(alice, { ...request, attempt: 2 });
    assert.deepEqual([again.recordId, again.duplicate], [first.recordId, true]);
  });

  it("writes busy conversations on while the store is frozen, and refuses only what needs it", async function () {
    this.timeout(30_000);
    const warm = v7();
    await message.send(alice, saying("warm", { target: toGroup(warm), clientMessageId: v4() }));
    await servers.kill("mongodb", "SIGSTOP");
    try {
      const next = saying("next", { target: toGroup(warm), clientMessageId: v4() });
      assert.equal((await message.send(alice, next)).seq, 2n);
      const cold = saying("cold", { target: toGroup(v7()), clientMessageId: v4() });
      const repeat = saying("repeat", { target: toGroup(warm), clientMessageId: v4(), attempt: 2 });
      await Promise.all(
        [cold, repeat].map((request) => assert.rejects(message.send(alice, request), reason("UNAVAILABLE"))),
      );
      assert.equal((await entriesOf(bus, `g_${warm}`)).length, 2);
    } finally {
      await servers.kill("mongodb", "SIGCONT");
    }
    const repeat = saying("repeat", { target: toGroup(warm), clientMessageId: v4(), attempt: 2 });
    assert.equal((await message.send(alice, repeat)).seq, 3n);
  });

  it("comes back by itself when the store was killed", async function () {
    this.timeout(60_000);
    await servers.kill("mongodb");
    await servers.untilReady("mongodb");
    const cold = saying("cold", { target: toGroup(v7()), clientMessageId: v4() });
    assert.equal((await message.send(alice, cold)).seq, 1n);
  });
});
