import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { directLog, groupLog, userLog } from "../../src/core/log.ts";
import { alice, draft, log, setUp } from "../support/appending.ts";
import { reason, uuid } from "../support/fakes.ts";
import { type CheckOrder, ModelStream } from "../support/model-stream.ts";

describe("appending to a log", () => {
  it("counts from 1 without a gap and fills in the time", async () => {
    const { appender, stream, clock } = setUp();
    for (const seq of [1n, 2n, 3n]) {
      const { record, duplicate } = await appender.append(draft(`m${seq}`));
      assert.equal(record.seq, seq);
      assert.equal(duplicate, false);
      assert.equal(record.acceptedTime?.seconds, BigInt(clock.ms / 1000));
    }
    assert.deepEqual(
      stream.recordsOf(log.id).map(({ seq }) => seq),
      [1n, 2n, 3n],
    );
    assert.equal(stream.calls.filter((call) => call === "last").length, 1);
  });

  it("says in the entry who may see it", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    await appender.append(draft("b", { to: directLog(uuid(2), alice) }));
    await appender.append(draft("c", { to: userLog(alice) }));
    const [group, direct, user] = stream.stored.map(({ entry }) => entry.audience);
    assert.deepEqual(group, { case: "groupId", value: uuid(9) });
    assert.ok(direct?.case === "direct");
    assert.deepEqual(direct.value.userIds, [alice, uuid(2)]);
    assert.deepEqual(user, { case: "userId", value: alice });
  });

  it("goes on behind the last record of the stream", async () => {
    const { stream } = setUp();
    await setUp({}, stream).appender.append(draft("by another instance"));
    const { appender, store } = setUp({}, stream);
    assert.equal((await appender.append(draft("next"))).record.seq, 2n);
    assert.equal(store.reads, 0);
  });

  it("goes on behind the head in the store when the stream has none any more", async () => {
    const { appender, store, stream } = setUp();
    store.heads.set(log.id, { seq: 41n, streamSequence: 7 });
    assert.equal((await appender.append(draft("a"))).record.seq, 42n);
    assert.equal((await appender.append(draft("b"))).record.seq, 43n);
    assert.equal(stream.stored.length, 2);
  });

  it("stores nothing when the head can't be had", async () => {
    const { appender, store, stream } = setUp();
    store.error = shared.unavailable("away");
    await assert.rejects(appender.append(draft("a")), reason("UNAVAILABLE"));
    stream.unreadable = true;
    await assert.rejects(appender.append(draft("b")), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
    stream.unreadable = false;
    store.error = undefined;
    assert.equal((await appender.append(draft("c"))).record.seq, 1n);
  });

  it("looks at the head again when another instance was first", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    await setUp({}, stream).appender.append(draft("by another instance"));
    assert.equal((await appender.append(draft("b"))).record.seq, 3n);
  });

  it("gives up after too many conflicts, and nothing is stored", async () => {
    const { appender, stream, clock } = setUp({ conflicts: 5 });
    await appender.append(draft("a"));
    const publish = stream.publish.bind(stream);
    stream.publish = async (logId, entry, options) => publish(logId, entry, { ...options, expectedStreamSequence: 99 });
    await assert.rejects(appender.append(draft("b")), reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 1);
    assert.deepEqual(clock.pauses, [4, 8, 16, 32]);
  });

  for (const order of ["sequence-first", "id-first"] as CheckOrder[]) {
    describe(`where the server checks ${order}`, () => {
      const model = () => Object.assign(new ModelStream(), { order });

      it("answers a repeat with the first record", async () => {
        const { appender, stream } = setUp({}, model());
        const first = await appender.append(draft("a"));
        await appender.append(draft("b"));
        const again = await appender.append(draft("a"));
        assert.equal(again.duplicate, true);
        assert.equal(again.record.recordId, first.record.recordId);
        assert.equal(again.record.seq, 1n);
        assert.equal((await appender.append(draft("c"))).record.seq, 3n);
        assert.equal(stream.stored.length, 3);
      });

      it("answers a repeat to an instance whose head is behind", async () => {
        const stream = model();
        const one = setUp({}, stream).appender;
        const other = setUp({}, stream).appender;
        await one.append(draft("a"));
        const first = await other.append(draft("b"));
        await other.append(draft("c"));
        const again = await one.append(draft("b"));
        assert.deepEqual([again.duplicate, again.record.recordId], [true, first.record.recordId]);
        assert.equal((await one.append(draft("d"))).record.seq, 4n);
      });

      it("stores 50 repeats at once only once", async () => {
        const { appender, stream } = setUp({}, model());
        const all = await Promise.all(Array.from({ length: 50 }, () => appender.append(draft("a"))));
        assert.equal(stream.stored.length, 1);
        assert.equal(new Set(all.map(({ record }) => record.recordId)).size, 1);
        assert.equal(all.filter(({ duplicate }) => !duplicate).length, 1);
      });
    });
  }

  it("recognises a repeat of the last record even when the stream has forgotten its key", async () => {
    const { appender, stream } = setUp();
    const first = await appender.append(draft("a"));
    const forgetful = Object.assign(new ModelStream(), { stored: stream.stored });
    stream.publish = forgetful.publish.bind(forgetful);
    const again = await appender.append(draft("a"));
    assert.deepEqual([again.record.recordId, again.duplicate], [first.record.recordId, true]);
    const cold = setUp({}, forgetful).appender;
    assert.equal((await cold.append(draft("a"))).duplicate, true);
    assert.equal(stream.stored.length, 1);
  });

  it("refuses the same key with another content or in another conversation", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    await assert.rejects(appender.append(draft("other", { key: "a" })), reason("IDEMPOTENCY_MISMATCH"));
    const elsewhere = draft("a", { to: groupLog(uuid(8)) });
    await assert.rejects(appender.append(elsewhere), reason("IDEMPOTENCY_MISMATCH"));
    const head = setUp({}, stream).appender;
    await assert.rejects(head.append(draft("other", { key: "a" })), reason("IDEMPOTENCY_MISMATCH"));
    assert.equal(stream.stored.length, 1);
  });

  it("refuses what is too large, with the sizes", async () => {
    const { appender, stream } = setUp({ recordBytes: 300 });
    await appender.append(draft("x".repeat(50), { key: "a" }));
    await assert.rejects(
      appender.append(draft("x".repeat(300), { key: "b" })),
      (error: Error & { metadata?: { limit?: string; size?: string } }) => {
        assert.equal(error.metadata?.limit, "300");
        assert.ok(Number(error.metadata?.size) > 300);
        return reason("TOO_LARGE")(error);
      },
    );
    assert.equal((await appender.append(draft("y"))).record.seq, 2n);
    assert.equal(stream.stored.length, 2);
  });

  it("counts only the record against the limit, not the audience beside it", async () => {
    const recordBytes = 300;
    const { stream, appender } = setUp({ recordBytes });
    let refused = 0;
    for (let length = 1; refused === 0; length++) {
      await appender.append(draft("x".repeat(length), { key: "k".repeat(length) })).catch((error: unknown) => {
        assert.ok(reason("TOO_LARGE")(error));
        refused = length;
      });
    }
    const sizes = stream.recordsOf(log.id).map((record) => toBinary(RecordSchema, record).length);
    assert.ok(Math.max(...sizes) <= recordBytes);
    assert.ok(Math.max(...sizes) > recordBytes - 4);
  });
});
