import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { SetTypingRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { Permissions } from "../../src/core/permissions.ts";
import { Signals } from "../../src/core/signals.ts";
import { alice, bob, carol, conversationId, instance, phoneOf, team } from "../support/changing.ts";
import { FakeSignals } from "../support/fake-signals.ts";
import { FakeClock, FakePeers, reason, uuid } from "../support/fakes.ts";

const request = (active: boolean, where = conversationId) =>
  create(SetTypingRequestSchema, { conversationId: where, active });

function setUp() {
  const one = instance();
  const type = (userId: string, active = true, where = conversationId) =>
    one.core.setTyping(phoneOf(userId), request(active, where), "");
  return { ...one, type };
}

describe("typing", () => {
  it("tells the others of the conversation, and is not stored", async () => {
    const { type, signals, stream } = setUp();
    await type(alice);
    const direct = `d_${alice}_${bob}`;
    await type(alice, false, direct);
    const [inGroup, between] = signals.sent;
    assert.deepEqual(inGroup?.audience, { case: "groupId", value: team });
    assert.deepEqual([inGroup?.conversationId, inGroup?.fromUserId], [conversationId, alice]);
    const { kind } = inGroup?.signal ?? {};
    assert.ok(kind?.case === "typing");
    assert.deepEqual([kind.value.conversationId, kind.value.userId], [conversationId, alice]);
    assert.ok(between?.audience.case === "direct");
    assert.deepEqual(between.audience.value.userIds, [alice, bob]);
    assert.deepEqual(signals.lines(), [`typing ${alice} true`, `typing ${alice} false`]);
    assert.equal(stream.stored.length, 0);
  });

  it("says the same once a second at most, by user, conversation and state", async () => {
    const { type, signals, clock } = setUp();
    for (let n = 0; n < 5; n++) await type(alice);
    await type(alice, false);
    await type(alice, true);
    await type(bob);
    await type(alice, true, `g_${uuid(10)}`);
    clock.ms += 999;
    await type(alice);
    assert.equal(signals.sent.length, 4);
    clock.ms += 1;
    await type(alice);
    assert.equal(signals.sent.length, 5);
  });

  it("is for those who may write", async () => {
    const { type, signals, peers } = setUp();
    peers.send = SendVerdict.NOT_A_MEMBER;
    await assert.rejects(type(alice), reason("NOT_A_MEMBER"));
    peers.send = SendVerdict.MUTED;
    await assert.rejects(type(alice), reason("MUTED"));
    peers.direct = DirectVerdict.BLOCKED;
    await assert.rejects(type(alice, true, `d_${alice}_${bob}`), reason("BLOCKED"));
    await assert.rejects(type(carol, true, `d_${alice}_${bob}`), reason("NOT_A_MEMBER"));
    await assert.rejects(type(carol, true, `u_${carol}`), reason("NOT_A_MEMBER"));
    assert.deepEqual(signals.sent, []);
  });

  it("asks for permission as a send does: once a second", async () => {
    const { type, peers } = setUp();
    for (let n = 0; n < 5; n++) await type(alice, n % 2 === 0);
    assert.equal(peers.asked.length, 1);
  });

  it("remembers a bounded number of those who type", async () => {
    const [outlet, clock] = [new FakeSignals(), new FakeClock()];
    const limits = { allowMs: 1000, confirmedMs: 60_000, remembered: 100, asking: 100 };
    const signals = new Signals(new Permissions(new FakePeers(), clock, limits), clock, outlet, 2);
    for (const user of [alice, bob, carol]) await signals.typing(phoneOf(user), request(true), "");
    await signals.typing(phoneOf(carol), request(true), "");
    assert.equal(outlet.sent.length, 3);
    await signals.typing(phoneOf(alice), request(true), "");
    assert.equal(outlet.sent.length, 4);
  });
});

describe("receipts of reading", () => {
  it("go to the others when the cursor has moved", async () => {
    const { say, markRead, signals } = setUp();
    for (let n = 0; n < 3; n++) await say(alice);
    for (const seq of [2n, 2n, 1n, 9n, 3n]) await markRead(bob, seq);
    assert.deepEqual(signals.lines(), [`receipt ${bob} 2/0`, `receipt ${bob} 3/0`]);
    assert.deepEqual(signals.sent[0]?.audience, { case: "groupId", value: team });
  });

  it("don't come of a repeat on another instance, nor of what is refused", async () => {
    const one = setUp();
    const other = instance(one.stream);
    await one.say(alice);
    await one.markRead(bob, 1n);
    await other.markRead(bob, 1n);
    other.peers.send = SendVerdict.NOT_A_MEMBER;
    await assert.rejects(other.markRead(carol, 1n), reason("NOT_A_MEMBER"));
    assert.deepEqual(other.signals.sent, []);
  });
});
