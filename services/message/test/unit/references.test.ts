import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { ForwardedFromSchema, type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import { directLog } from "../../src/core/log.ts";
import { alice, bob, carol, conversationId, instance } from "../support/changing.ts";
import { reason, uuid } from "../support/fakes.ts";

const notFound = (field: string) => (error: unknown) => {
  assert.ok(error instanceof ServiceError);
  assert.deepEqual([error.reason, error.metadata], ["ERROR_REASON_REFERENCE_NOT_FOUND", { field }]);
  return true;
};
const from = (where: string, seq: bigint, senderUserId = "") =>
  create(ForwardedFromSchema, { conversationId: where, seq, senderUserId });
const messageOf = ({ body }: Record) => {
  assert.ok(body.case === "message");
  return body.value;
};
/** A message that only the store has. */
const old = (where: string, seq: bigint, senderUserId: string, recordId = uuid(300 + Number(seq))) =>
  create(RecordSchema, { conversationId: where, seq, recordId, senderUserId, body: { case: "message", value: {} } });

describe("a reply", () => {
  it("names a message of the conversation; one that this instance appended costs no look-up", async () => {
    const { say, refer, store } = instance();
    const { seq } = await say(alice);
    const { reads } = store;
    const { record } = await refer(bob, { replyToSeq: seq });
    assert.equal(messageOf(record).replyToSeq, seq);
    assert.equal(store.reads, reads);
  });

  it("may name what only the stream or the store has", async () => {
    const one = instance();
    const { seq } = await one.say(alice);
    const other = instance(one.stream);
    assert.equal((await other.refer(bob, { replyToSeq: seq })).record.seq, 2n);
    const record = old(conversationId, 1n, alice);
    const later = instance();
    later.store.records.set(record.recordId, record);
    later.store.heads.set(conversationId, { seq: 1n, streamSequence: 1 });
    assert.equal((await later.refer(bob, { replyToSeq: 1n })).record.seq, 2n);
  });

  it("doesn't name what isn't there or is no message", async () => {
    const { say, react, refer, stream } = instance();
    const { recordId } = await say(alice);
    const { record } = await react(bob, recordId, "🐋");
    for (const replyToSeq of [record.seq, 3n, 99n, 2n ** 63n, 2n ** 64n - 1n]) {
      await assert.rejects(refer(bob, { replyToSeq }), notFound("reply_to_seq"));
    }
    assert.equal(stream.stored.length, 2);
  });

  it("doesn't name what was said before the sender's time, and tells nothing about it", async () => {
    const { say, refer, peers } = instance();
    await say(alice);
    await say(alice);
    peers.intervals = [{ fromSeq: 2n, toSeq: 0n }];
    await assert.rejects(refer(bob, { replyToSeq: 1n }), notFound("reply_to_seq"));
    assert.equal((await refer(bob, { replyToSeq: 2n })).record.seq, 3n);
  });

  it("is refused to strangers before anything is looked at", async () => {
    const { say, refer, peers } = instance();
    await say(alice);
    peers.send = SendVerdict.NOT_A_MEMBER;
    for (const replyToSeq of [1n, 99n]) await assert.rejects(refer(carol, { replyToSeq }), reason("NOT_A_MEMBER"));
  });

  it("waits while it can't be told", async () => {
    const one = instance();
    await one.say(alice);
    const { refer, store, stream } = instance(one.stream);
    store.error = shared.unavailable("away");
    await assert.rejects(refer(bob, { replyToSeq: 1n }), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 1);
  });
});

describe("a forwarded message", () => {
  it("names who wrote it, whatever its sender says, and is what it was when repeated", async () => {
    const { say, refer, stream } = instance();
    const { seq } = await say(alice);
    const forwardedFrom = from(conversationId, seq, carol);
    const clientMessageId = uuid(800);
    const first = await refer(bob, { forwardedFrom }, { clientMessageId });
    assert.deepEqual(messageOf(first.record).forwardedFrom, from(conversationId, seq, alice));
    assert.equal(forwardedFrom.senderUserId, carol, "the request isn't ours to change");
    for (const attempt of [1, 2]) {
      const again = await refer(bob, { forwardedFrom }, { clientMessageId, attempt });
      assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
    }
    const other = { forwardedFrom: from(conversationId, 2n) };
    await assert.rejects(refer(bob, other, { clientMessageId, attempt: 2 }), reason("IDEMPOTENCY_MISMATCH"));
    assert.equal(stream.stored.length, 2);
  });

  it("may be of another conversation that the sender reads", async () => {
    const { refer, store, peers } = instance();
    const elsewhere = `g_${uuid(8)}`;
    const direct = directLog(bob, carol).id;
    for (const record of [old(elsewhere, 4n, alice), old(direct, 5n, carol)])
      store.records.set(record.recordId, record);
    peers.intervals = [{ fromSeq: 2n, toSeq: 4n }];
    const { record } = await refer(bob, { forwardedFrom: from(elsewhere, 4n) });
    assert.equal(messageOf(record).forwardedFrom?.senderUserId, alice);
    assert.deepEqual(peers.askedToRead, [`${uuid(8)} ${bob}`]);
    const privately = await refer(bob, { forwardedFrom: from(direct, 5n) });
    assert.equal(messageOf(privately.record).forwardedFrom?.senderUserId, carol);
  });

  it("isn't one that the sender may not read; he can't tell it from one that isn't there", async () => {
    const { refer, store, peers, stream, clock } = instance();
    const elsewhere = `g_${uuid(8)}`;
    const direct = directLog(alice, carol).id;
    for (const record of [old(elsewhere, 4n, alice), old(direct, 5n, carol)])
      store.records.set(record.recordId, record);
    const refused = (where: string, seq: bigint) =>
      assert.rejects(refer(bob, { forwardedFrom: from(where, seq) }), notFound("forwarded_from"));
    await refused(direct, 5n);
    await refused(direct, 6n);
    await refused(elsewhere, 5n);
    for (const intervals of [[], [{ fromSeq: 5n, toSeq: 0n }], [{ fromSeq: 1n, toSeq: 3n }]]) {
      peers.intervals = intervals;
      clock.ms += 1000;
      await refused(elsewhere, 4n);
    }
    assert.equal(stream.stored.length, 0);
  });

  for (const where of ["", "g_x", `u_${bob}`, `d_${bob}_${bob}`, `d_${carol}_${bob}`, `g_${uuid(8).toUpperCase()}é`]) {
    it(`isn't in ${where === "" ? "a conversation without an id" : where}`, async () => {
      const { refer, store } = instance();
      await assert.rejects(refer(bob, { forwardedFrom: from(where, 1n) }), notFound("forwarded_from"));
      await assert.rejects(refer(bob, { forwardedFrom: from(conversationId, 0n) }), notFound("forwarded_from"));
      assert.equal(store.heads.size, 0);
    });
  }

  it("isn't one that was taken back, wherever that is known", async () => {
    const one = instance();
    const { seq, recordId } = await one.say(alice);
    await one.recall(alice, recordId);
    const forwardedFrom = from(conversationId, seq);
    await assert.rejects(one.refer(bob, { forwardedFrom }), notFound("forwarded_from"));
    await assert.rejects(instance(one.stream).refer(bob, { forwardedFrom }), notFound("forwarded_from"));
    const later = instance();
    const record = old(conversationId, 1n, alice);
    later.store.records.set(record.recordId, record);
    assert.equal((await later.refer(bob, { forwardedFrom })).duplicate, false);
    later.store.recalls.add(`${conversationId}:1`);
    await assert.rejects(later.refer(bob, { forwardedFrom }), notFound("forwarded_from"));
  });

  it("still answers its repeat after the origin was taken back", async () => {
    const { say, refer, recall } = instance();
    const { seq, recordId } = await say(alice);
    const forwardedFrom = from(conversationId, seq);
    const first = await refer(bob, { forwardedFrom }, { clientMessageId: uuid(801) });
    await recall(alice, recordId);
    const again = await refer(bob, { forwardedFrom }, { clientMessageId: uuid(801), attempt: 2 });
    assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
  });
});
