import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupRole } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { RecallMessageRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { alice, bob, carol, conversationId, instance, phoneOf } from "../support/changing.ts";
import { reason, SETTINGS, uuid } from "../support/fakes.ts";

describe("finding the message of a command", () => {
  it("asks nobody about what this instance has appended", async () => {
    const { say, recall, store, stream } = instance();
    const { recordId } = await say(alice);
    await recall(alice, recordId);
    assert.equal(store.reads, 1, "the head of the log, once");
    assert.ok(!stream.calls.includes("from"));
  });

  it("finds what another instance has appended, in the stream, once", async () => {
    const other = instance();
    const { recordId } = await other.say(alice);
    const { react, stream } = instance(other.stream);
    await react(bob, recordId, "a");
    await react(bob, recordId, "b");
    assert.equal(stream.calls.filter((call) => call === "from").length, 1);
  });

  it("finds what only the store has", async () => {
    const { recall, store } = instance();
    const body = { case: "message", value: {} } as const;
    const old = create(RecordSchema, { conversationId, recordId: uuid(40), seq: 7n, senderUserId: alice, body });
    store.records.set(old.recordId, old);
    await assert.rejects(recall(alice, old.recordId), reason("WINDOW_OVER"));
    await assert.rejects(recall(bob, old.recordId), reason("NOT_THE_SENDER"));
  });

  it("refuses what isn't there, is elsewhere or is no message", async () => {
    const { say, recall, edit, react, store } = instance();
    const { recordId } = await say(alice);
    await assert.rejects(recall(alice, uuid(40)), reason("MESSAGE_NOT_FOUND"));
    const elsewhere = `g_${uuid(8)}`;
    const body = { case: "message", value: {} } as const;
    const place = { conversationId: elsewhere, recordId: uuid(41), seq: 1n, senderUserId: alice };
    store.records.set(uuid(41), create(RecordSchema, { ...place, body }));
    await assert.rejects(recall(alice, uuid(41)), reason("MESSAGE_NOT_FOUND"));
    await assert.rejects(edit(alice, uuid(41), "x"), reason("MESSAGE_NOT_FOUND"));
    const { record } = await react(alice, recordId, "a");
    await assert.rejects(react(bob, record.recordId, "a"), reason("MESSAGE_NOT_FOUND"));
  });

  it("doesn't find a message of this instance under another conversation's id", async () => {
    const { say, core } = instance();
    const { recordId } = await say(alice);
    const request = create(RecallMessageRequestSchema, { conversationId: `g_${uuid(8)}`, recordId });
    await assert.rejects(core.recall(phoneOf(alice), request, ""), reason("MESSAGE_NOT_FOUND"));
  });

  it("can't tell without the store, and stores nothing", async () => {
    const { recall, store, stream } = instance();
    store.error = shared.unavailable("away");
    await assert.rejects(recall(alice, uuid(40)), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
  });

  it("tells a stranger nothing about it", async () => {
    const { say, recall, edit, react, peers } = instance();
    const { recordId } = await say(alice);
    peers.send = SendVerdict.NOT_A_MEMBER;
    for (const id of [recordId, uuid(40)]) {
      await assert.rejects(recall(carol, id), reason("NOT_A_MEMBER"));
      await assert.rejects(edit(carol, id, "x"), reason("NOT_A_MEMBER"));
      await assert.rejects(react(carol, id, "a"), reason("NOT_A_MEMBER"));
    }
    peers.send = SendVerdict.MUTED;
    await assert.rejects(react(carol, recordId, "a"), reason("MUTED"));
  });
});

describe("editing a message", () => {
  it("appends the new content under the message's seq", async () => {
    const { say, edit, stream } = instance();
    await say(bob);
    const { recordId } = await say(alice);
    const { record, duplicate } = await edit(alice, recordId, "better", uuid(60));
    assert.deepEqual([record.seq, duplicate, record.senderDeviceId], [3n, false, "phone"]);
    assert.ok(record.body.case === "edit");
    assert.equal(record.body.value.targetSeq, 2n);
    assert.deepEqual(record.body.value.content?.kind.value, {
      $typeName: "oceanchat.records.v1.TextContent",
      text: "better",
      entities: [],
    });
    assert.equal(stream.stored[2]?.messageId, `${alice}:${uuid(60)}`);
  });

  it("happens once for its key; the key with another content or another message is refused", async () => {
    const { say, edit } = instance();
    const [one, two] = [await say(alice), await say(alice)];
    const first = await edit(alice, one.recordId, "better", uuid(61));
    const again = await edit(alice, one.recordId, "better", uuid(61));
    assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
    await assert.rejects(edit(alice, one.recordId, "best", uuid(61)), reason("IDEMPOTENCY_MISMATCH"));
    await assert.rejects(edit(alice, two.recordId, "better", uuid(61)), reason("IDEMPOTENCY_MISMATCH"));
  });

  it("is for the sender only, whatever his role", async () => {
    const { say, edit, peers } = instance();
    const { recordId } = await say(alice);
    peers.role = GroupRole.OWNER;
    await assert.rejects(edit(bob, recordId, "x"), reason("NOT_THE_SENDER"));
  });

  it("is over after its window", async () => {
    const { say, edit, clock } = instance();
    const { recordId } = await say(alice);
    clock.ms += SETTINGS.editWindowMs - 1;
    await edit(alice, recordId, "in time");
    clock.ms += 1;
    await assert.rejects(edit(alice, recordId, "too late"), reason("WINDOW_OVER"));
  });

  it("is checked like a message", async () => {
    const { say, edit, stream } = instance();
    const { recordId } = await say(alice);
    await assert.rejects(edit(alice, recordId, " "), reason("EMPTY_TEXT"));
    await assert.rejects(edit(alice, recordId, "x".repeat(40_000)), reason("TOO_LARGE"));
    await assert.rejects(edit(alice, recordId, "x", "no key"), reason("INVALID_FIELD"));
    assert.equal(stream.stored.length, 1);
  });
});

describe("recalling a message", () => {
  it("appends one record however often it is asked for", async () => {
    const { say, recall, stream } = instance();
    const { recordId } = await say(alice);
    const first = await recall(alice, recordId);
    assert.deepEqual([first.record.body.case, first.record.seq, first.duplicate], ["recall", 2n, false]);
    await say(bob);
    const again = await recall(alice, recordId.toUpperCase());
    assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
    assert.equal(stream.stored.length, 3);
    assert.equal(stream.stored[1]?.messageId, `${alice}:recall:${recordId}`);
  });

  it("is the sender's within the window, the owner's and admins' at any time", async () => {
    const { say, recall, peers, clock } = instance();
    const { recordId } = await say(alice);
    await assert.rejects(recall(bob, recordId), reason("NOT_THE_SENDER"));
    clock.ms += SETTINGS.recallWindowMs - 1;
    await recall(alice, recordId);
    const later = await say(alice);
    clock.ms += SETTINGS.recallWindowMs;
    await assert.rejects(recall(alice, later.recordId), reason("WINDOW_OVER"));
    peers.role = GroupRole.ADMIN;
    assert.equal((await recall(carol, later.recordId)).duplicate, false);
    peers.role = GroupRole.OWNER;
    clock.ms += 10_000;
    assert.equal((await recall(alice, later.recordId)).duplicate, false);
  });

  it("needs a role that may still write", async () => {
    const { say, recall, peers } = instance();
    const { recordId } = await say(alice);
    peers.role = GroupRole.ADMIN;
    peers.send = SendVerdict.MUTED;
    await assert.rejects(recall(bob, recordId), reason("MUTED"));
  });
});
