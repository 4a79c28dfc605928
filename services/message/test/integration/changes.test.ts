import assert from "node:assert/strict";
import { create, getOption, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import type { CommandSchema } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { MessageBodySchema, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { StoredHeadSchema, StoredRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { Long, MongoClient } from "mongodb";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { saying } from "../support/fakes.ts";
import { entriesOf, type RunningMessage, startMessage, userEntriesOf } from "../support/running.ts";

type Command = Exclude<MessageInitShape<typeof CommandSchema>["command"], undefined>;

const [alice, bob] = [v7(), v7()];
const text = (value: string) => ({ kind: { case: "text", value: { text: value } } }) as const;

describe("changing messages", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  let bus: Bus;
  let client: MongoClient;
  let one: RunningMessage;
  let other: RunningMessage;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
    bus = await host.bus(servers.natsUrl);
    client = await MongoClient.connect(servers.mongodbUrl, { useBigInt64: true });
    one = await startMessage(servers, peers);
    other = await startMessage(servers, peers);
  });
  after(async () => {
    await Promise.all([one?.stop(), other?.stop(), host?.stop(), client?.close()]);
    await peers?.close();
    await servers?.stop();
  });
  beforeEach(() => {
    peers.state.send = SendVerdict.ALLOWED;
    peers.state.role = GroupRole.MEMBER;
  });

  /** A message of Alice's in a new group. */
  const begin = async () => {
    const groupId = v7();
    const target = { case: "groupId", value: groupId } as const;
    const { recordId, conversationId } = await one.send(alice, saying("hi", { target, clientMessageId: v4() }));
    return { conversationId, recordId };
  };
  const dispatch = async (message: RunningMessage, userId: string, command: Command) => {
    const sender = { userId, sessionId: "session", deviceId: "phone" };
    return (await message.calls.call({ sender, command })).result;
  };
  const insert = (name: string, document: object) => client.db("oceanchat").collection(name).insertOne(document);

  it("edits, recalls and reacts on both doors and both instances, each in the log", async () => {
    const about = await begin();
    const edit = { ...about, content: text("better"), clientMessageId: v4() };
    const edited = await other.as(alice).editMessage(edit);
    assert.deepEqual([edited.record?.seq, edited.duplicate], [2n, false]);
    const again = await dispatch(one, alice, { case: "editMessage", value: edit });
    assert.ok(again?.case === "accepted");
    assert.deepEqual([again.value.recordId, again.value.duplicate], [edited.record?.recordId, true]);
    const reacted = await dispatch(one, bob, { case: "react", value: { ...about, emoji: "🐋" } });
    assert.ok(reacted?.case === "accepted" && reacted.value.seq === 3n);
    const removed = await other.as(bob).removeReaction({ ...about, emoji: "🐋" });
    assert.equal(removed.record?.seq, 4n);
    const anew = await one.as(bob).react({ ...about, emoji: "🐋" });
    assert.deepEqual([anew.record?.seq, anew.duplicate], [5n, false]);
    const repeated = await one.as(bob).react({ ...about, emoji: "🐋" });
    assert.deepEqual([repeated.record, repeated.duplicate], [anew.record, true]);
    const recalls = await Promise.all([one, other].map((message) => message.as(alice).recallMessage(about)));
    assert.deepEqual(recalls[0]?.record?.recordId, recalls[1]?.record?.recordId);
    assert.deepEqual(recalls.map(({ duplicate }) => duplicate).sort(), [false, true]);
    const entries = await entriesOf(bus, about.conversationId);
    assert.deepEqual(
      entries.map(({ record }) => [record?.seq, record?.body.case]),
      [
        [1n, "message"],
        [2n, "edit"],
        [3n, "reaction"],
        [4n, "reaction"],
        [5n, "reaction"],
        [6n, "recall"],
      ],
    );
  });

  it("refuses with its own reasons", async () => {
    const about = await begin();
    await refused(one.as(bob).recallMessage(about), Code.PermissionDenied, "NOT_THE_SENDER");
    await refused(one.as(alice).recallMessage({ ...about, recordId: v7() }), Code.NotFound, "MESSAGE_NOT_FOUND");
    const edit = { ...about, content: text("x"), clientMessageId: v4() };
    await refused(other.as(bob).editMessage(edit), Code.PermissionDenied, "NOT_THE_SENDER");
    await refused(one.as(bob).react({ ...about, emoji: "x".repeat(33) }), Code.InvalidArgument, "INVALID_FIELD");
    await refused(one.as().react({ ...about, emoji: "x" }), Code.Unauthenticated, "TOKEN_INVALID");
    peers.state.send = SendVerdict.NOT_A_MEMBER;
    await refused(one.as(v7()).react({ ...about, emoji: "x" }), Code.PermissionDenied, "NOT_A_MEMBER");
    await refused(one.as(v7()).markRead({ ...about, seq: 1n }), Code.PermissionDenied, "NOT_A_MEMBER");
    assert.equal((await entriesOf(bus, about.conversationId)).length, 1);
  });

  it("finds a message that only the store has; its window is over but for those who manage the group", async () => {
    const conversationId = `g_${v7()}`;
    const recordId = v7();
    const record = create(RecordSchema, { conversationId, seq: 7n, recordId, senderUserId: alice });
    record.acceptedTime = timestampFromMs(Date.now() - 86_400_000 * 2);
    record.body = {
      case: "message",
      value: create(MessageBodySchema, { clientMessageId: v4(), content: text("old") }),
    };
    const document = { _id: recordId, conversationId, seq: 7n, record: toBinary(RecordSchema, record) };
    await insert(getOption(StoredRecordSchema, collection), document);
    const head = { _id: conversationId, headSeq: 9n, streamSequence: 1n, lastTime: new Date() };
    await insert(getOption(StoredHeadSchema, collection), head);
    const about = { conversationId, recordId };
    await refused(one.as(alice).recallMessage(about), Code.FailedPrecondition, "WINDOW_OVER");
    const edit = { ...about, content: text("new"), clientMessageId: v4() };
    await refused(one.as(alice).editMessage(edit), Code.FailedPrecondition, "WINDOW_OVER");
    await refused(
      one.as(alice).recallMessage({ ...about, conversationId: `g_${v7()}` }),
      Code.NotFound,
      "MESSAGE_NOT_FOUND",
    );
    peers.state.role = GroupRole.ADMIN;
    const { record: recall } = await one.as(v7()).recallMessage(about);
    assert.ok(recall?.body.case === "recall");
    assert.deepEqual([recall.seq, recall.body.value.targetSeq], [10n, 7n]);
  });

  it("has windows that an installation may set", async () => {
    const about = await begin();
    const strict = await startMessage(servers, peers, {
      OCEANCHAT_EDIT_WINDOW_MS: "0",
      OCEANCHAT_RECALL_WINDOW_MS: "0",
    });
    try {
      const edit = { ...about, content: text("x"), clientMessageId: v4() };
      await refused(strict.as(alice).editMessage(edit), Code.FailedPrecondition, "WINDOW_OVER");
      await refused(strict.as(alice).recallMessage(about), Code.FailedPrecondition, "WINDOW_OVER");
    } finally {
      await strict.stop();
    }
  });

  it("counts the kinds of reactions that the store has, without those that are withdrawn", async () => {
    const about = await begin();
    const store = (emoji: string, userId: string, removed = false) => {
      const place = { conversationId: about.conversationId, targetSeq: Long.fromNumber(1), seq: Long.fromNumber(2) };
      const _id = `${about.conversationId}:1:${emoji}:${userId}`;
      return insert("reactions", { _id, ...place, emoji, userId, removed });
    };
    for (let n = 1; n <= 19; n++) {
      await store(`:kind_${n}:`, v7());
      await store(`:kind_${n}:`, v7());
    }
    for (let n = 1; n <= 5; n++) await store("🫥", v7(), true);
    await insert("reactions", { _id: `${about.conversationId}:10:🐙:${v7()}`, emoji: "🐙", removed: false });
    await one.as(bob).react({ ...about, emoji: "🐋" });
    await refused(one.as(bob).react({ ...about, emoji: "🫥" }), Code.ResourceExhausted, "TOO_MANY_REACTIONS");
    assert.equal((await one.as(bob).react({ ...about, emoji: ":kind_7:" })).duplicate, false);
    await one.as(bob).removeReaction({ ...about, emoji: "🐋" });
    assert.equal((await one.as(bob).react({ ...about, emoji: "🫥" })).duplicate, false);
  });

  it("moves read cursors forward in the user's own log, on both doors", async () => {
    const { conversationId } = await begin();
    const target = { case: "conversationId", value: conversationId } as const;
    for (let n = 0; n < 3; n++) await other.send(alice, saying(`${n}`, { target, clientMessageId: v4() }));
    const reader = v7();
    assert.equal((await dispatch(one, reader, { case: "markRead", value: { conversationId, seq: 2n } }))?.case, "done");
    peers.state.send = SendVerdict.MUTED;
    await one.as(reader).markRead({ conversationId, seq: 1n });
    await one.as(reader).markRead({ conversationId, seq: 2n });
    await one.as(reader).markRead({ conversationId, seq: 99n });
    await other.as(reader).markRead({ conversationId, seq: 99n });
    const entries = await userEntriesOf(bus, reader);
    assert.deepEqual(
      entries.map(({ record }) => record?.body.case === "readCursor" && record.body.value.seq),
      [2n, 4n],
    );
  });
});

async function refused(call: Promise<unknown>, code: Code, name: string) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ConnectError);
    assert.deepEqual([error.code, error.findDetails(ErrorInfoSchema)[0]?.reason], [code, `ERROR_REASON_${name}`]);
    return true;
  });
}
