import assert from "node:assert/strict";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { alice, bob, carol, conversationId, instance } from "../support/changing.ts";
import { reason, uuid } from "../support/fakes.ts";
import type { ModelStream } from "../support/model-stream.ts";

const cursorsOf = (stream: ModelStream, userId: string) =>
  stream
    .recordsOf(`u_${userId}`)
    .map(({ body }) => body.case === "readCursor" && [body.value.conversationId, body.value.seq]);

describe("marking as read", () => {
  it("appends the cursor to the user's own log", async () => {
    const { say, markRead, stream } = instance();
    await say(alice);
    await say(alice);
    await markRead(bob, 2n);
    assert.deepEqual(cursorsOf(stream, bob), [[conversationId, 2n]]);
    const { messageId, entry } = stream.stored[2] ?? {};
    assert.equal(messageId, `s:u_${bob}:read:${conversationId}:2`);
    assert.deepEqual(entry?.audience, { case: "userId", value: bob });
    assert.deepEqual([entry?.record?.senderUserId, entry?.record?.senderDeviceId], [bob, "phone"]);
  });

  it("only moves forward, and repeats make no record", async () => {
    const { say, markRead, stream } = instance();
    for (let n = 0; n < 5; n++) await say(alice);
    for (const seq of [3n, 3n, 2n, 4n, 1n]) await markRead(bob, seq);
    await markRead(carol, 1n);
    assert.deepEqual(cursorsOf(stream, bob), [
      [conversationId, 3n],
      [conversationId, 4n],
    ]);
    assert.deepEqual(cursorsOf(stream, carol), [[conversationId, 1n]]);
  });

  it("doesn't move back when several come at once", async () => {
    const { say, markRead, stream } = instance();
    for (let n = 0; n < 5; n++) await say(alice);
    await Promise.all([5n, 3n, 5n, 4n].map((seq) => markRead(bob, seq)));
    assert.deepEqual(cursorsOf(stream, bob), [[conversationId, 5n]]);
  });

  it("ends at the last record, also of another instance, and is nothing in an empty conversation", async () => {
    const one = instance();
    const other = instance(one.stream);
    await one.markRead(bob, 9n);
    assert.deepEqual(cursorsOf(one.stream, bob), []);
    await one.say(alice);
    for (let n = 0; n < 3; n++) await other.say(alice);
    await one.markRead(bob, 3n);
    await one.markRead(bob, 9n);
    assert.deepEqual(cursorsOf(one.stream, bob), [
      [conversationId, 3n],
      [conversationId, 4n],
    ]);
  });

  it("knows the end of a quiet conversation from the store", async () => {
    const { markRead, store, stream } = instance();
    store.heads.set(conversationId, { seq: 41n, streamSequence: 7 });
    await markRead(bob, 50n);
    assert.deepEqual(cursorsOf(stream, bob), [[conversationId, 41n]]);
  });

  it("is one record on two instances", async () => {
    const one = instance();
    await one.say(alice);
    await one.markRead(bob, 1n);
    await instance(one.stream).markRead(bob, 1n);
    assert.equal(cursorsOf(one.stream, bob).length, 1);
  });

  it("is for those who can read: members, muted or not, and the two of a direct conversation", async () => {
    const { say, markRead, peers, stream } = instance();
    await say(alice);
    peers.send = SendVerdict.NOT_A_MEMBER;
    await assert.rejects(markRead(bob, 1n), reason("NOT_A_MEMBER"));
    await assert.rejects(markRead(carol, 1n, `d_${alice}_${bob}`), reason("NOT_A_MEMBER"));
    await assert.rejects(markRead(carol, 1n, `u_${carol}`), reason("NOT_A_MEMBER"));
    peers.send = SendVerdict.UNSPECIFIED;
    await assert.rejects(markRead(bob, 1n), reason("INTERNAL"));
    assert.deepEqual(cursorsOf(stream, bob), []);
    peers.send = SendVerdict.ALL_MUTED;
    await markRead(bob, 1n);
    assert.equal(cursorsOf(stream, bob).length, 1);
    const asked = peers.asked.length;
    await markRead(alice, 1n, `d_${alice}_${uuid(70)}`);
    assert.equal(peers.asked.length, asked);
  });
});
