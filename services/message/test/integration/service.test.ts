import assert from "node:assert/strict";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { MessageAccepted } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { shared } from "@oceanchat/runtime/fail";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { checkLog } from "../support/log-checks.ts";
import { entriesOf, type RunningMessage, startMessage } from "../support/running.ts";

const [alice = "", bob = "", carol = ""] = [v7(), v7(), v7()].sort();
const toGroup = (groupId: string) => ({ case: "groupId", value: groupId }) as const;

describe("message", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  let bus: Bus;
  let one: RunningMessage;
  let other: RunningMessage;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
    bus = await host.bus(servers.natsUrl);
    one = await startMessage(servers, peers);
    other = await startMessage(servers, peers);
  });
  after(async () => {
    await Promise.all([one?.stop(), other?.stop(), host?.stop()]);
    await peers?.close();
    await servers?.stop();
  });
  beforeEach(() => {
    peers.state.send = SendVerdict.ALLOWED;
    peers.state.direct = DirectVerdict.ALLOWED;
    peers.state.failure = undefined;
  });

  it("answers on both doors with the place of the stored record", async () => {
    const target = { case: "userId", value: bob } as const;
    const before = Date.now();
    const { record, duplicate } = await one.as(alice).sendMessage(saying("hi", { target, clientMessageId: v4() }));
    assert.ok(record);
    const conversationId = `d_${alice}_${bob}`;
    assert.deepEqual(
      [record.conversationId, record.seq, record.senderUserId, record.senderDeviceId, duplicate],
      [conversationId, 1n, alice, "phone", false],
    );
    assert.ok(record.acceptedTime && timestampMs(record.acceptedTime) >= before);
    const back = saying("hi yourself", {
      target: { case: "conversationId", value: conversationId },
      clientMessageId: v4(),
    });
    const accepted = await one.send(bob, back);
    assert.deepEqual([accepted.conversationId, accepted.seq, accepted.duplicate], [conversationId, 2n, false]);
    const [first, second] = await entriesOf(bus, conversationId);
    assert.deepEqual(first?.record, record);
    assert.ok(first?.audience.case === "direct");
    assert.deepEqual(first.audience.value.userIds, [alice, bob]);
    assert.equal(second?.record?.recordId, accepted.recordId);
    assert.equal(second?.record?.senderUserId, bob);
  });

  it("refuses with its own reasons on both doors, and stores nothing", async () => {
    const groupId = v7();
    const wanted = { target: toGroup(groupId), clientMessageId: v4() };
    await refusedInPublic(one.as(alice).sendMessage(saying("  ", wanted)), Code.InvalidArgument, "EMPTY_TEXT");
    await refusedInPublic(one.as().sendMessage(saying("hi", wanted)), Code.Unauthenticated, "TOKEN_INVALID");
    const tooLong = saying("x".repeat(8193), wanted);
    await refusedInPublic(one.as(alice).sendMessage(tooLong), Code.InvalidArgument, "INVALID_FIELD");
    await refusedInPublic(one.as(alice).markRead({}), Code.InvalidArgument, "INVALID_FIELD");
    await refusedInPublic(one.as(alice).confirm({}), Code.InvalidArgument, "INVALID_FIELD");
    await refusedInPublic(one.as(alice).setTyping({}), Code.InvalidArgument, "INVALID_FIELD");
    const strangers = saying("hi", { ...wanted, target: { case: "conversationId", value: `d_${alice}_${bob}` } });
    await assert.rejects(one.send(carol, strangers), reason("NOT_A_MEMBER"));
    peers.state.send = SendVerdict.ALL_MUTED;
    await refusedInPublic(one.as(alice).sendMessage(saying("hi", wanted)), Code.PermissionDenied, "ALL_MUTED");
    await assert.rejects(one.send(alice, saying("hi", wanted)), reason("ALL_MUTED"));
    peers.state.direct = DirectVerdict.NOT_FRIENDS;
    const direct = saying("hi", { target: { case: "userId", value: carol }, clientMessageId: v4() });
    await assert.rejects(one.send(bob, direct), reason("NOT_FRIENDS"));
    assert.deepEqual(await entriesOf(bus, `g_${groupId}`), []);
    assert.deepEqual(await entriesOf(bus, `d_${bob}_${carol}`), []);
  });

  it("says UNAVAILABLE and stores nothing while nobody can be asked for permission", async () => {
    const alone = await startMessage(servers, peers, { OCEANCHAT_GROUP_ADDRESSES: "127.0.0.1:1" });
    try {
      const groupId = v7();
      const request = saying("hi", { target: toGroup(groupId), clientMessageId: v4() });
      await assert.rejects(alone.send(alice, request), reason("UNAVAILABLE"));
      assert.deepEqual(await entriesOf(bus, `g_${groupId}`), []);
    } finally {
      await alone.stop();
    }
  });

  it("says OVERLOADED and stores nothing while more permissions are asked for than can be answered", async () => {
    const [sender, recipient] = [v7(), v7()];
    const request = saying("hi", { target: { case: "userId", value: recipient }, clientMessageId: v4() });
    peers.state.failure = shared.overloaded("too many look-ups");
    await assert.rejects(one.send(sender, request), reason("OVERLOADED"));
    assert.deepEqual(await entriesOf(bus, `d_${[sender, recipient].sort().join("_")}`), []);
  });

  it("makes one record of the same message sent 50 times at once, on two instances and both doors", async () => {
    const groupId = v7();
    const clientMessageId = v4();
    const request = () => saying("once", { target: toGroup(groupId), clientMessageId });
    const publicly = async (message: RunningMessage) => {
      const { record, duplicate } = await message.as(alice).sendMessage(request());
      return { recordId: record?.recordId, seq: record?.seq, duplicate };
    };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => {
        const message = n % 2 === 0 ? one : other;
        return n % 5 === 0 ? publicly(message) : message.send(alice, request());
      }),
    );
    const stored = await entriesOf(bus, `g_${groupId}`);
    assert.equal(stored.length, 1);
    assert.deepEqual(new Set(answers.map(({ recordId }) => recordId)), new Set([stored[0]?.record?.recordId]));
    assert.deepEqual(new Set(answers.map(({ seq }) => seq)), new Set([1n]));
    assert.equal(answers.filter(({ duplicate }) => !duplicate).length, 1);
    const different = saying("twice", { target: toGroup(groupId), clientMessageId });
    await assert.rejects(one.send(alice, different), reason("IDEMPOTENCY_MISMATCH"));
    const elsewhere = saying("once", { target: toGroup(v7()), clientMessageId });
    await assert.rejects(other.send(alice, elsewhere), reason("IDEMPOTENCY_MISMATCH"));
  });

  it("keeps one gapless order while two instances write the same conversation at full speed", async function () {
    this.timeout(60_000);
    const groupId = v7();
    const accepted = new Map<string, MessageAccepted>();
    const write = async (message: RunningMessage, userId: string) => {
      for (let n = 0; n < 40; n++) {
        const clientMessageId = v4();
        const request = saying(`${n}`, { target: toGroup(groupId), clientMessageId });
        accepted.set(clientMessageId, await message.send(userId, request));
      }
    };
    const writers = [one, other].flatMap((message) => [alice, bob, carol, v7()].map((user) => write(message, user)));
    await Promise.all(writers);
    const records = await checkLog(bus, `g_${groupId}`, accepted);
    assert.equal(records.length, 320);
    assert.equal(accepted.size, 320);
  });

  it("keeps the order in which one stream brings the messages of a conversation", async () => {
    const groupId = v7();
    const texts = Array.from({ length: 200 }, (_, n) => `text ${n}`);
    await Promise.all(
      texts.map((text) => one.send(alice, saying(text, { target: toGroup(groupId), clientMessageId: v4() }))),
    );
    const stored = (await entriesOf(bus, `g_${groupId}`)).map(({ record }) =>
      record?.body.case === "message" && record.body.value.content?.kind.case === "text"
        ? record.body.value.content.kind.value.text
        : "",
    );
    assert.deepEqual(stored, texts);
  });

  it("refuses what would wait too long, and says so", async () => {
    const groupId = v7();
    const all = await Promise.allSettled(
      Array.from({ length: 400 }, () =>
        one.send(alice, saying("hi", { target: toGroup(groupId), clientMessageId: v4() })),
      ),
    );
    const refused = all.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    assert.ok(refused.length > 0);
    assert.ok(refused.every(reason("OVERLOADED")));
    assert.equal((await entriesOf(bus, `g_${groupId}`)).length, 400 - refused.length);
  });

  it("appends records of other services once for their key", async () => {
    const conversationId = `g_${v7()}`;
    const value = { joined: [alice], actorUserId: alice, version: 1n };
    const body = { case: "membership" as const, value };
    const request = { conversationId, idempotencyKey: "create", record: { senderUserId: alice, body } };
    const first = await one.mesh.appendConversationRecord(request);
    const again = await other.mesh.appendConversationRecord(request);
    assert.deepEqual([first.duplicate, again.duplicate], [false, true]);
    assert.deepEqual(again.record, first.record);
    const session = { case: "sessionRevoked", value: { sessionId: "s" } } as const;
    const mine = { userId: alice, idempotencyKey: "s", record: { body: session } };
    const { record } = await one.mesh.appendUserRecord(mine);
    assert.deepEqual([record?.conversationId, record?.seq], [`u_${alice}`, 1n]);
    assert.equal((await other.mesh.appendUserRecord(mine)).duplicate, true);
    const wrong = { ...request, record: { senderUserId: alice, body: session } };
    await assert.rejects(one.mesh.appendConversationRecord(wrong), reason("INVALID_FIELD"));
  });
});

async function refusedInPublic(call: Promise<unknown>, code: Code, name: string) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ConnectError);
    assert.deepEqual([error.code, error.findDetails(ErrorInfoSchema)[0]?.reason], [code, `ERROR_REASON_${name}`]);
    return true;
  });
}
