import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import {
  AppendConversationRecordRequestSchema,
  AppendUserRecordRequestSchema,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { RecallMessageRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { MembershipBodySchema, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { alice, bob, conversationId, instance, phoneOf } from "../support/changing.ts";
import { reason, SETTINGS, uuid } from "../support/fakes.ts";
import { ModelStream } from "../support/model-stream.ts";

type Instance = ReturnType<typeof instance>;

/** Another instance later: the stream has forgotten all ids, and the store has everything or nothing yet. */
function later({ stream, clock }: Instance, hasStored: boolean): Instance {
  const other = instance(Object.assign(new ModelStream(), { stored: [...stream.stored] }));
  other.clock.ms = clock.ms + 600_000;
  if (!hasStored) return other;
  for (const [index, { logId, entry, messageId }] of stream.stored.entries()) {
    const { record } = entry;
    assert.ok(record);
    other.store.records.set(record.recordId, record);
    if (record.body.case !== "message") other.store.appends.set(messageId, record);
    other.store.heads.set(logId, { seq: record.seq, streamSequence: index + 1 });
  }
  return other;
}

for (const place of ["store", "stream"] as const) {
  describe(`a late repeat that only the ${place} knows`, () => {
    it("of an edit gets the first record, whatever has become of the permission and the window", async () => {
      const first = instance();
      const { recordId } = await first.say(alice);
      const other = await first.say(alice);
      const edited = await first.edit(alice, recordId, "better", uuid(61));
      await first.say(bob);
      const { edit, peers, clock, stream } = later(first, place === "store");
      peers.send = SendVerdict.NOT_A_MEMBER;
      clock.ms += SETTINGS.editWindowMs;
      const again = await edit(alice, recordId, "better", uuid(61), 2);
      assert.deepEqual([again.duplicate, again.record.recordId], [true, edited.record.recordId]);
      await assert.rejects(edit(alice, recordId, "best", uuid(61), 2), reason("IDEMPOTENCY_MISMATCH"));
      await assert.rejects(edit(alice, other.recordId, "better", uuid(61), 2), reason("IDEMPOTENCY_MISMATCH"));
      await assert.rejects(edit(alice, uuid(40), "better", uuid(61), 2), reason("IDEMPOTENCY_MISMATCH"));
      await assert.rejects(edit(bob, recordId, "better", uuid(61), 2), reason("NOT_A_MEMBER"));
      assert.equal(stream.stored.length, 4);
    });

    it("of a recall gets the first record without saying that it is one", async () => {
      const first = instance();
      const { recordId } = await first.say(alice);
      const recalled = await first.recall(alice, recordId);
      await first.say(bob);
      const { recall, core, clock, stream } = later(first, place === "store");
      clock.ms += SETTINGS.recallWindowMs;
      const again = await recall(alice, recordId);
      assert.deepEqual([again.duplicate, again.record.recordId], [true, recalled.record.recordId]);
      const elsewhere = create(RecallMessageRequestSchema, { conversationId: `g_${uuid(8)}`, recordId });
      await assert.rejects(core.recall(phoneOf(alice), elsewhere, ""), reason("MESSAGE_NOT_FOUND"));
      assert.equal(stream.stored.length, 3);
    });

    it("of another service's record gets the first one", async () => {
      const first = instance();
      const request = joining("one", 1);
      const { record } = await first.core.appendToConversation(request, "");
      await first.say(bob);
      const { core, stream } = later(first, place === "store");
      const again = await core.appendToConversation(joining("one", 2), "");
      assert.deepEqual([again.duplicate, again.record.recordId], [true, record.recordId]);
      await assert.rejects(core.appendToConversation(joining("one", 2, bob), ""), reason("IDEMPOTENCY_MISMATCH"));
      assert.equal((await core.appendToConversation(joining("two", 2), "")).record.seq, 3n);
      assert.equal(stream.stored.length, 3);
    });

    it("of a record in a user's own log gets the first one", async () => {
      const first = instance();
      const { record } = await first.core.appendToUser(revoked("s1", 1), "");
      await first.core.appendToUser(revoked("s2", 1), "");
      const { core, stream } = later(first, place === "store");
      const again = await core.appendToUser(revoked("s1", 3), "");
      assert.deepEqual([again.duplicate, again.record.recordId], [true, record.recordId]);
      assert.equal(stream.stored.length, 2);
    });
  });
}

describe("a first try", () => {
  it("doesn't ask the store whether it is one, nor does a recall of a young message", async () => {
    const { say, edit, recall, core, store, clock } = instance();
    const { recordId } = await say(alice);
    const { reads } = store;
    store.error = shared.unavailable("away");
    await edit(alice, recordId, "better");
    await recall(alice, recordId);
    await core.appendToConversation(joining("one", 1), "");
    assert.equal(store.reads, reads);
    await assert.rejects(core.appendToConversation(joining("two", 2), ""), reason("UNAVAILABLE"));
    await assert.rejects(edit(alice, recordId, "best", uuid(62), 2), reason("UNAVAILABLE"));
    clock.ms += 540_000;
    await assert.rejects(recall(alice, recordId), reason("UNAVAILABLE"));
  });
});

function joining(idempotencyKey: string, attempt: number, joined = alice) {
  const value = create(MembershipBodySchema, { joined: [joined], actorUserId: alice });
  const record = create(RecordSchema, { senderUserId: alice, body: { case: "membership", value } });
  return create(AppendConversationRecordRequestSchema, { conversationId, idempotencyKey, record, attempt });
}

function revoked(sessionId: string, attempt: number) {
  const record = create(RecordSchema, { body: { case: "sessionRevoked", value: { sessionId } } });
  return create(AppendUserRecordRequestSchema, { userId: alice, idempotencyKey: sessionId, record, attempt });
}
