import assert from "node:assert/strict";
import { create, fromBinary, getOption } from "@bufbuild/protobuf";
import type { Command } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { ConfirmRequestSchema, SetTypingRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { type ConversationSignal, ConversationSignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import { StoredDeliveredCursorSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { signalOf } from "@oceanchat/runtime/declared-names";
import type { RunningHost } from "@oceanchat/runtime/host";
import { silentLog, testHost } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { v4, v7 } from "uuid";
import { openStore } from "../../src/store.ts";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { type RunningMessage, startMessage } from "../support/running.ts";

describe("message: signals and confirmations", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  let client: MongoClient;
  let message: RunningMessage;
  const heard: ConversationSignal[] = [];
  let onSignal: () => void = () => {};

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
    const bus = await host.bus(servers.natsUrl);
    bus.onSignal(signalOf(ConversationSignalSchema).filterOf(), (data) => {
      heard.push(fromBinary(ConversationSignalSchema, data));
      onSignal();
    });
    client = await MongoClient.connect(servers.mongodbUrl, { useBigInt64: true });
  });
  beforeEach(async () => {
    message = await startMessage(servers, peers);
  });
  afterEach(() => message?.stop());
  after(async () => {
    await Promise.all([host?.stop(), client?.close()]);
    await peers?.close();
    await servers?.stop();
  });

  const cursors = () => client.db("oceanchat").collection(getOption(StoredDeliveredCursorSchema, collection));

  /** The first signal of a conversation that is heard. */
  const signalIn = (conversationId: string) =>
    new Promise<ConversationSignal>((resolve) => {
      onSignal = () => {
        const found = heard.find((signal) => signal.conversationId === conversationId);
        if (found !== undefined) resolve(found);
      };
      onSignal();
    });

  const dispatch = (userId: string, deviceId: string, command: Command["command"]) =>
    message.calls.call({ sender: { userId, sessionId: "session", deviceId }, command });

  const say = async (from: string, to: string) => {
    const request = saying("hi", { target: { case: "userId", value: to }, clientMessageId: v4() });
    return message.send(from, request);
  };

  it("sends typing over NATS, by both doors", async () => {
    const [alice, bob, groupId] = [v7(), v7(), v7()];
    const conversationId = `g_${groupId}`;
    await message.as(alice).setTyping({ conversationId, active: true });
    const signal = await signalIn(conversationId);
    assert.deepEqual(signal.audience, { case: "groupId", value: groupId });
    assert.equal(signal.fromUserId, alice);
    const direct = [alice, bob].sort().join("_");
    const value = create(SetTypingRequestSchema, { conversationId: `d_${direct}`, active: true });
    const { result } = await dispatch(bob, "phone", { case: "typing", value });
    assert.equal(result.case, "done");
    assert.equal((await signalIn(`d_${direct}`)).fromUserId, bob);
    const strangers = create(SetTypingRequestSchema, { conversationId: `d_${direct}`, active: true });
    await assert.rejects(dispatch(v7(), "phone", { case: "typing", value: strangers }), reason("NOT_A_MEMBER"));
  });

  it("writes confirmations within a second or so, and then tells the others", async () => {
    const [alice, bob] = [v7(), v7()];
    const { conversationId } = await say(alice, bob);
    await say(alice, bob);
    const value = create(ConfirmRequestSchema, { conversationId, seq: 9n });
    await dispatch(bob, "phone", { case: "confirm", value });
    const { signal, fromUserId } = await signalIn(conversationId);
    assert.equal(fromUserId, bob);
    assert.ok(signal?.kind.case === "receipt");
    assert.deepEqual([signal.kind.value.readSeq, signal.kind.value.deliveredSeq], [0n, 2n]);
    const [stored] = await cursors().find({ conversationId }).toArray();
    assert.equal(String(stored?._id), `${bob}:${conversationId}:phone`);
    assert.deepEqual([stored?.userId, stored?.deviceId, stored?.deliveredSeq], [bob, "phone", 2n]);
    assert.ok(stored?.movedTime instanceof Date && Math.abs(stored.movedTime.getTime() - Date.now()) < 60_000);
  });

  it("writes what is confirmed before it stops, by the device of the token", async () => {
    const [alice, bob] = [v7(), v7()];
    const { conversationId } = await say(alice, bob);
    await message.as(bob).confirm({ conversationId, seq: 1n });
    await message.stop();
    const [stored, ...more] = await cursors().find({ conversationId }).toArray();
    assert.equal(stored?.deliveredSeq, 1n);
    assert.ok(String(stored?.deviceId).length > 0);
    assert.deepEqual(more, []);
  });

  it("keeps what is confirmed while the store is away", async function () {
    this.timeout(60_000);
    const [alice, bob] = [v7(), v7()];
    const { conversationId } = await say(alice, bob);
    await servers.kill("mongodb");
    await message.as(bob).confirm({ conversationId, seq: 1n });
    await servers.untilReady("mongodb");
    await signalIn(conversationId);
    const [stored] = await cursors().find({ conversationId }).toArray();
    assert.equal(stored?.deliveredSeq, 1n);
  });

  it("never moves a cursor back, whoever writes last", async () => {
    const store = await openStore({ url: servers.mongodbUrl, database: "other", name: "test", log: silentLog });
    try {
      const cursor = { userId: v7(), conversationId: `g_${v7()}`, deviceId: "a:b", movedMs: 1000 };
      const other = { ...cursor, deviceId: "other" };
      for (const deliveredSeq of [5n, 3n]) {
        const refused = await store.save([
          { ...cursor, deliveredSeq },
          { ...other, deliveredSeq: deliveredSeq * 2n },
        ]);
        assert.equal(refused.size, 0);
      }
      const found = client.db("other").collection(getOption(StoredDeliveredCursorSchema, collection)).find();
      assert.deepEqual((await found.toArray()).map(({ deviceId, deliveredSeq }) => [deviceId, deliveredSeq]).sort(), [
        ["a:b", 5n],
        ["other", 10n],
      ]);
    } finally {
      await store.close();
    }
  });
});
