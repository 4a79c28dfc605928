import assert from "node:assert/strict";
import { create, toBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { Appender, type AppendLimits, type Draft } from "../../src/core/append.ts";
import { directLog, groupLog, type Log, userLog } from "../../src/core/log.ts";
import { FakeClock, FakeStore, gate, reason, uuid } from "../support/fakes.ts";
import { type CheckOrder, ModelStream } from "../support/model-stream.ts";

const alice = uuid(1);
const log = groupLog(uuid(9));

const LIMITS: AppendLimits = {
  deadlineMs: 5000,
  answerMs: 2000,
  conflicts: 20,
  perLog: 256,
  total: 10_000,
  heads: 100,
  recordBytes: 32_768,
};

function setUp(limits: Partial<AppendLimits> = {}, stream = new ModelStream()) {
  const store = new FakeStore();
  const clock = new FakeClock();
  return { stream, store, clock, appender: new Appender(stream, store, clock, { ...LIMITS, ...limits }) };
}

let ids = 1000;
function draft(text: string, extra: Partial<Draft> & { to?: Log; key?: string } = {}): Draft {
  const { to = log, key = text, ...rest } = extra;
  const content = { kind: { case: "text" as const, value: { text } } };
  const record = create(RecordSchema, {
    conversationId: to.id,
    recordId: uuid(ids++),
    senderUserId: alice,
    body: { case: "message", value: { clientMessageId: key, content } },
  });
  return { log: to, messageId: `${alice}:${key}`, record, ready: undefined, traceparent: "", ...rest };
}

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

describe("appending while things go wrong", () => {
  it("finds its record when only the answer was lost", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    let lost = false;
    stream.fault = () => {
      const fault = lost ? "none" : "answer-lost";
      lost = true;
      return fault;
    };
    const { record, duplicate } = await appender.append(draft("b"));
    assert.deepEqual([record.seq, duplicate], [2n, false]);
    assert.equal(stream.stored.length, 2);
    assert.deepEqual(stream.calls.slice(-2), ["publish", "last"]);
  });

  it("publishes again when the request was lost, with the same id", async () => {
    const { appender, stream } = setUp();
    const faults = ["request-lost", "request-lost"] as const;
    let call = 0;
    stream.fault = () => faults[call++] ?? "none";
    const { record, duplicate } = await appender.append(draft("a"));
    assert.deepEqual([record.seq, duplicate, stream.stored.length], [1n, false, 1]);
  });

  it("says that the outcome is unknown at the deadline, and looks at the head before the next", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    stream.fault = () => "request-lost";
    await assert.rejects(appender.append(draft("b")), reason("OUTCOME_UNKNOWN"));
    stream.fault = () => "none";
    stream.calls.length = 0;
    assert.equal((await appender.append(draft("c"))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["last", "publish"]);
  });

  it("gives a repeat after an unknown outcome the record that was stored", async () => {
    const { appender, stream } = setUp();
    const last = stream.last.bind(stream);
    stream.fault = () => "answer-lost";
    stream.last = async (logId) => {
      if (stream.stored.length > 0) throw shared.unavailable("the log can't be read");
      return last(logId);
    };
    await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    assert.equal(stream.stored.length, 1);
    stream.last = last;
    stream.fault = () => "none";
    const { record, duplicate } = await appender.append(draft("a"));
    assert.deepEqual([record.seq, duplicate, stream.stored.length], [1n, true, 1]);
  });

  it("keeps an outcome unknown whatever fails after it", async () => {
    for (const fault of ["full", "unavailable"] as const) {
      const { appender, stream } = setUp();
      let call = 0;
      stream.fault = () => (call++ === 0 ? "request-lost" : fault);
      await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    }
  });

  it("does not publish twice what may be on its way: a late arrival ends in one record", async () => {
    const { appender, stream } = setUp();
    let call = 0;
    stream.fault = () => (call++ === 0 ? "late" : "none");
    const { record } = await appender.append(draft("a"));
    await stream.settled();
    assert.equal(stream.stored.length, 1);
    assert.equal(record.recordId, stream.recordsOf(log.id)[0]?.recordId);
  });

  it("says OVERLOADED when the stream is full, and goes on when it isn't", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    stream.fault = () => "full";
    await assert.rejects(appender.append(draft("b")), reason("OVERLOADED"));
    stream.fault = () => "none";
    stream.calls.length = 0;
    assert.equal((await appender.append(draft("c"))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["publish"]);
  });

  it("says UNAVAILABLE at once when nothing was sent", async () => {
    const { appender, stream } = setUp();
    stream.fault = () => "unavailable";
    await assert.rejects(appender.append(draft("a")), reason("UNAVAILABLE"));
    assert.equal(stream.calls.filter((call) => call === "publish").length, 1);
  });

  it("says that the outcome is unknown when a duplicate can't be read back", async () => {
    const { appender, stream } = setUp();
    await appender.append(draft("a"));
    await appender.append(draft("b"));
    const at = stream.at.bind(stream);
    stream.at = async () => {
      throw shared.unavailable("away");
    };
    await assert.rejects(appender.append(draft("a")), reason("OUTCOME_UNKNOWN"));
    stream.at = at;
    assert.equal((await appender.append(draft("a"))).duplicate, true);
  });
});

describe("waiting for a log", () => {
  it("keeps the order of arrival, whatever must be known before", async () => {
    const { appender, stream } = setUp();
    const { opened, open } = gate();
    const all = [
      appender.append(draft("1", { ready: opened.then(() => undefined) })),
      appender.append(draft("2")),
      appender.append(draft("3", { ready: Promise.resolve(undefined) })),
    ];
    open();
    await Promise.all(all);
    const texts = stream.recordsOf(log.id).map(({ body }) => body.case === "message" && body.value.clientMessageId);
    assert.deepEqual(texts, ["1", "2", "3"]);
  });

  it("is not held up by other logs", async () => {
    const { appender } = setUp();
    const { opened, open } = gate();
    const held = appender.append(draft("1", { ready: opened.then(() => undefined) }));
    assert.equal((await appender.append(draft("2", { to: groupLog(uuid(8)) }))).record.seq, 1n);
    open();
    await held;
  });

  it("never has two publishes of one log under way", async () => {
    const { appender, stream } = setUp();
    let running = 0;
    let most = 0;
    const publish = stream.publish.bind(stream);
    stream.publish = async (logId, entry, options) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      return publish(logId, entry, options).finally(() => running--);
    };
    await Promise.all(Array.from({ length: 30 }, (_, n) => appender.append(draft(`m${n}`))));
    assert.equal(most, 1);
  });

  it("passes on why a message may not be appended, and stores the next", async () => {
    const { appender, stream } = setUp();
    const refused = Promise.reject(shared.rateLimited(1));
    await assert.rejects(appender.append(draft("1", { ready: refused })), reason("RATE_LIMITED"));
    assert.equal((await appender.append(draft("2"))).record.seq, 1n);
    assert.equal(stream.stored.length, 1);
  });

  it("answers with the record that an earlier try has left", async () => {
    const { appender, stream } = setUp();
    const earlier = draft("1").record;
    earlier.seq = 17n;
    const { record, duplicate } = await appender.append(draft("1", { ready: Promise.resolve(earlier) }));
    assert.deepEqual([record.seq, duplicate], [17n, true]);
    const other = draft("2", { ready: Promise.resolve(earlier) });
    await assert.rejects(appender.append(other), reason("IDEMPOTENCY_MISMATCH"));
    assert.equal(stream.stored.length, 0);
  });

  it("refuses more than the limit of one log, and of all", async () => {
    const { appender } = setUp({ perLog: 2, total: 3 });
    const { opened, open } = gate();
    const held = () => ({ ready: opened.then(() => undefined) });
    const all = [appender.append(draft("1", held())), appender.append(draft("2"))];
    await assert.rejects(appender.append(draft("3")), reason("OVERLOADED"));
    all.push(appender.append(draft("4", { ...held(), to: groupLog(uuid(8)) })));
    await assert.rejects(appender.append(draft("5", { to: groupLog(uuid(7)) })), reason("OVERLOADED"));
    open();
    await Promise.all(all);
    assert.equal((await appender.append(draft("6"))).record.seq, 3n);
  });

  it("ends for a message whose time is up before its turn came; it is not stored", async () => {
    const { appender, clock, stream } = setUp();
    const { opened, open } = gate();
    const first = appender.append(draft("1", { ready: opened.then(() => undefined) }));
    const second = appender.append(draft("2"));
    clock.ms += 5000;
    open();
    await assert.rejects(first, reason("UNAVAILABLE"));
    await assert.rejects(second, reason("UNAVAILABLE"));
    assert.equal(stream.stored.length, 0);
  });

  it("remembers a bounded number of heads", async () => {
    const { appender, stream } = setUp({ heads: 2 });
    for (const n of [1, 2, 3]) await appender.append(draft("m", { to: groupLog(uuid(n)), key: `m${n}` }));
    stream.calls.length = 0;
    await appender.append(draft("n", { to: groupLog(uuid(3)) }));
    assert.deepEqual(stream.calls, ["publish"]);
    assert.equal((await appender.append(draft("o", { to: groupLog(uuid(1)) }))).record.seq, 2n);
    assert.deepEqual(stream.calls, ["publish", "last", "publish"]);
  });
});
