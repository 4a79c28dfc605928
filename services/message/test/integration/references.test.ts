import assert from "node:assert/strict";
import { create, type DescMessage, getOption, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import type { SendMessageRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  EditBodySchema,
  GroupChangeBodySchema,
  MembershipBodySchema,
  MessageBodySchema,
  RecallBodySchema,
  type Record,
  RecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import {
  StoredAppendKeySchema,
  StoredHeadSchema,
  StoredMessageStateSchema,
  StoredRecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { entriesOf, type RunningMessage, startMessage, userEntriesOf } from "../support/running.ts";

const [alice, bob] = [v7(), v7()];
const text = (value: string) => ({ kind: { case: "text", value: { text: value } } }) as const;
const old: Record["body"] = { case: "message", value: create(MessageBodySchema, { content: text("old") }) };
const LONG_AGO = new Date(Date.now() - 3_600_000);

describe("what only the store remembers", () => {
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
  beforeEach(() => {
    peers.state.intervals = [{ fromSeq: 1n, toSeq: 0n }];
  });

  const insert = (schema: DescMessage, document: object) =>
    client.db("oceanchat").collection(getOption(schema, collection)).insertOne(document);

  /** Stores a record an hour old as persistence-writer would, under its key if it is no message. */
  const store = async (conversationId: string, seq: bigint, body: Record["body"], key?: string) => {
    const acceptedTime = timestampFromDate(LONG_AGO);
    const record = create(RecordSchema, {
      conversationId,
      seq,
      recordId: v7(),
      senderUserId: alice,
      acceptedTime,
      body,
    });
    const place = { conversationId, seq, senderUserId: alice, streamSequence: 1n, acceptedTime: LONG_AGO };
    const { recordId } = record;
    await insert(StoredRecordSchema, {
      _id: recordId,
      ...place,
      kind: body.case,
      record: toBinary(RecordSchema, record),
    });
    if (key !== undefined) {
      await insert(StoredAppendKeySchema, { _id: key, recordId, conversationId, seq, acceptedTime: LONG_AGO });
    }
    return record;
  };
  const storeHead = (where: string, headSeq: bigint) =>
    insert(StoredHeadSchema, { _id: where, headSeq, streamSequence: 1n, lastTime: LONG_AGO });
  const say = (where: string, rest: Omit<MessageInitShape<typeof SendMessageRequestSchema>, "$typeName">) =>
    message.as(bob).sendMessage(saying("see there", { target: { case: "conversationId", value: where }, ...rest }));

  it("can be answered and forwarded, if it is a message, readable, and not taken back", async () => {
    const [here, there] = [`g_${v7()}`, `g_${v7()}`];
    for (const where of [here, there]) {
      await store(where, 7n, old);
      await store(where, 8n, { case: "groupChange", value: create(GroupChangeBodySchema, { name: "x" }) });
      await storeHead(where, 8n);
    }
    const reply = await say(here, { clientMessageId: v4(), replyToSeq: 7n });
    assert.ok(reply.record?.seq === 9n && reply.record.body.case === "message");
    assert.equal(reply.record.body.value.replyToSeq, 7n);
    const forwardedFrom = { conversationId: there, seq: 7n, senderUserId: bob };
    const forward = await say(here, { clientMessageId: v4(), forwardedFrom });
    assert.ok(forward.record?.body.case === "message");
    assert.equal(forward.record.body.value.forwardedFrom?.senderUserId, alice);

    const refused = (rest: Parameters<typeof say>[1], field: string) =>
      refusedWith(say(here, { clientMessageId: v4(), ...rest }), Code.NotFound, "REFERENCE_NOT_FOUND", { field });
    for (const replyToSeq of [6n, 8n, 99n, 2n ** 64n - 1n]) await refused({ replyToSeq }, "reply_to_seq");
    await refused({ forwardedFrom: { conversationId: there, seq: 8n } }, "forwarded_from");
    await refused({ forwardedFrom: { conversationId: `d_${alice}_${v7()}`, seq: 1n } }, "forwarded_from");
    await insert(StoredMessageStateSchema, { _id: `${there}:7`, conversationId: there, seq: 7n, recallSeq: 9n });
    await refused({ forwardedFrom: { conversationId: there, seq: 7n } }, "forwarded_from");
    assert.equal((await entriesOf(bus, here)).length, 2);
  });

  it("isn't there for a member who came later", async () => {
    const where = `g_${v7()}`;
    const { recordId } = await store(where, 7n, old);
    await storeHead(where, 9n);
    peers.state.intervals = [{ fromSeq: 8n, toSeq: 0n }];
    const about = { conversationId: where, recordId };
    const late = message.as(v7());
    await refusedWith(late.react({ ...about, emoji: "🐋" }), Code.NotFound, "MESSAGE_NOT_FOUND");
    await refusedWith(late.recallMessage(about), Code.NotFound, "MESSAGE_NOT_FOUND");
    const edit = { ...about, content: text("x"), clientMessageId: v4() };
    await refusedWith(late.editMessage(edit), Code.NotFound, "MESSAGE_NOT_FOUND");
    const reply = say(where, { clientMessageId: v4(), replyToSeq: 7n });
    await refusedWith(reply, Code.NotFound, "REFERENCE_NOT_FOUND", { field: "reply_to_seq" });
    peers.state.intervals = [{ fromSeq: 7n, toSeq: 0n }];
    assert.equal((await message.as(v7()).react({ ...about, emoji: "🐋" })).record?.seq, 10n);
  });

  it("is what late repeats of edits, recalls and services' records are answered with", async () => {
    const where = `g_${v7()}`;
    const key = v4();
    const { recordId } = await store(where, 1n, old);
    const edited = await store(
      where,
      2n,
      { case: "edit", value: create(EditBodySchema, { targetSeq: 1n, content: text("hello") }) },
      `${alice}:${key}`,
    );
    const recalled = await store(
      where,
      3n,
      { case: "recall", value: create(RecallBodySchema, { targetSeq: 1n }) },
      `${alice}:recall:${recordId}`,
    );
    const value = create(MembershipBodySchema, { joined: [bob], actorUserId: alice });
    const membership = { case: "membership" as const, value };
    const joined = await store(where, 4n, membership, `s:${where}:join`);
    await storeHead(where, 4n);
    const edit = { conversationId: where, recordId, clientMessageId: key, content: text("hello"), attempt: 2 };
    const again = await message.as(alice).editMessage(edit);
    assert.deepEqual([again.record?.recordId, again.duplicate], [edited.recordId, true]);
    const other = message.as(alice).editMessage({ ...edit, content: text("hullo") });
    await refusedWith(other, Code.AlreadyExists, "IDEMPOTENCY_MISMATCH");
    const recallAgain = await message.as(alice).recallMessage({ conversationId: where, recordId });
    assert.deepEqual([recallAgain.record?.recordId, recallAgain.duplicate], [recalled.recordId, true]);
    const append = { conversationId: where, idempotencyKey: "join", record: { senderUserId: alice, body: membership } };
    const joinedAgain = await message.mesh.appendConversationRecord({ ...append, attempt: 2 });
    assert.deepEqual([joinedAgain.record?.recordId, joinedAgain.duplicate], [joined.recordId, true]);
    const changed = { senderUserId: bob, body: membership };
    const mismatch = message.mesh.appendConversationRecord({ ...append, record: changed, attempt: 2 });
    await assert.rejects(mismatch, reason("IDEMPOTENCY_MISMATCH"));
    assert.equal((await entriesOf(bus, where)).length, 0);
  });

  it("takes settings of a conversation into the user's own log, on both doors", async () => {
    const user = v7();
    const conversationId = `g_${v7()}`;
    const mutedUntil = { seconds: BigInt(Math.floor(Date.now() / 1000)) + 3600n, nanos: 0 };
    const { record } = await message.as(user).updateConversationSettings({ conversationId, pinned: true, mutedUntil });
    assert.ok(record?.body.case === "conversationSettings");
    const { pinned, mutedUntil: until } = record.body.value;
    assert.deepEqual([record.conversationId, pinned, until?.seconds], [`u_${user}`, true, mutedUntil.seconds]);
    const sender = { userId: user, sessionId: "session", deviceId: "phone" };
    const command = { case: "updateSettings", value: { conversationId, pinned: false } } as const;
    const { result } = await message.calls.call({ sender, command });
    assert.ok(result.case === "accepted" && result.value.conversationId === `u_${user}` && result.value.seq === 2n);
    const update = (userId: string | undefined, rest: object) =>
      message.as(userId).updateConversationSettings({ conversationId, ...rest });
    await refusedWith(update(user, {}), Code.InvalidArgument, "INVALID_FIELD");
    const never = { seconds: 2n ** 62n, nanos: 0 };
    await refusedWith(update(user, { mutedUntil: never }), Code.InvalidArgument, "INVALID_FIELD");
    await refusedWith(update(user, { conversationId: "u_x", pinned: true }), Code.InvalidArgument, "INVALID_FIELD");
    await refusedWith(update(undefined, { pinned: true }), Code.Unauthenticated, "TOKEN_INVALID");
    peers.state.intervals = [];
    await refusedWith(update(v7(), { pinned: true }), Code.PermissionDenied, "NOT_A_MEMBER");
    assert.equal((await userEntriesOf(bus, user)).length, 2);
  });
});

async function refusedWith(call: Promise<unknown>, code: Code, name: string, metadata = {}) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ConnectError);
    const info = error.findDetails(ErrorInfoSchema)[0];
    assert.deepEqual([error.code, info?.reason, info?.metadata], [code, `ERROR_REASON_${name}`, metadata]);
    return true;
  });
}
