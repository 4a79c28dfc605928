import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { UpdateConversationSettingsRequestSchema } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { directLog } from "../../src/core/log.ts";
import { alice, bob, carol, conversationId, instance, phoneOf } from "../support/changing.ts";
import { reason, uuid } from "../support/fakes.ts";

function setUp() {
  const running = instance();
  const update = (userId: string, settings: MessageInitShape<typeof UpdateConversationSettingsRequestSchema>) => {
    const request = create(UpdateConversationSettingsRequestSchema, { conversationId, ...settings });
    return running.core.updateSettings(phoneOf(userId), request, "");
  };
  return { ...running, update };
}

describe("settings of a conversation", () => {
  it("go to the user's own log, with what was given and nothing else", async () => {
    const { update, stream, clock } = setUp();
    const mutedUntil = timestampFromMs(clock.ms + 3_600_000);
    const { record, duplicate } = await update(alice, { pinned: true });
    assert.deepEqual([record.conversationId, record.seq, duplicate], [`u_${alice}`, 1n, false]);
    assert.deepEqual([record.senderUserId, record.senderDeviceId], [alice, "phone"]);
    await update(alice, { mutedUntil });
    await update(alice, { pinned: false, mutedUntil });
    const bodies = stream.recordsOf(`u_${alice}`).map(({ body }) => {
      assert.ok(body.case === "conversationSettings");
      return [body.value.conversationId, body.value.pinned, body.value.mutedUntil?.seconds];
    });
    assert.deepEqual(bodies, [
      [conversationId, true, undefined],
      [conversationId, undefined, mutedUntil.seconds],
      [conversationId, false, mutedUntil.seconds],
    ]);
    assert.equal(stream.stored[0]?.messageId, `${alice}:settings:${record.recordId}`);
  });

  it("say the epoch for a mute that is over", async () => {
    const { update, clock } = setUp();
    for (const ms of [0, 1, clock.ms - 1, clock.ms, -62_135_596_800_000]) {
      const { body } = (await update(alice, { mutedUntil: timestampFromMs(ms) })).record;
      assert.ok(body.case === "conversationSettings");
      assert.deepEqual(body.value.mutedUntil, timestampFromMs(0));
    }
    const { body } = (await update(alice, { mutedUntil: timestampFromMs(clock.ms + 1) })).record;
    assert.ok(body.case === "conversationSettings" && (body.value.mutedUntil?.seconds ?? 0n) > 0n);
  });

  it("need at least one, and a time that is one", async () => {
    const { update, stream, peers } = setUp();
    await assert.rejects(update(alice, {}), reason("INVALID_FIELD"));
    for (const mutedUntil of [
      { seconds: 253_402_300_800n, nanos: 0 },
      { seconds: 2n ** 63n - 1n, nanos: 0 },
      { seconds: -62_135_596_801n, nanos: 0 },
      { seconds: 1n, nanos: -1 },
      { seconds: 1n, nanos: 1_000_000_000 },
    ]) {
      await assert.rejects(update(alice, { mutedUntil }), reason("INVALID_FIELD"));
    }
    assert.deepEqual([stream.stored, peers.askedToRead], [[], []]);
  });

  it("are for those who can read it, also after they have left", async () => {
    const { update, peers, stream } = setUp();
    peers.intervals = [{ fromSeq: 1n, toSeq: 3n }];
    await update(alice, { pinned: false });
    peers.intervals = [];
    await assert.rejects(update(alice, { pinned: true }), reason("NOT_A_MEMBER"));
    const direct = directLog(alice, bob).id;
    await update(bob, { conversationId: direct, pinned: true });
    await assert.rejects(update(carol, { conversationId: direct, pinned: true }), reason("NOT_A_MEMBER"));
    for (const where of ["g_x", `u_${alice}`, `d_${uuid(2)}_${uuid(1)}`]) {
      await assert.rejects(update(alice, { conversationId: where, pinned: true }), reason("NOT_A_MEMBER"));
    }
    assert.equal(stream.stored.length, 2);
  });
});
