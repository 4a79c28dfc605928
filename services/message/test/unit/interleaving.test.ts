import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ServiceError } from "@oceanchat/runtime/fail";
import { type Appended, Appender } from "../../src/core/append.ts";
import { groupLog } from "../../src/core/log.ts";
import { LIMITS } from "../support/appending.ts";
import { FakeClock, FakeStore, uuid } from "../support/fakes.ts";
import { type CheckOrder, type Fault, ModelStream } from "../support/model-stream.ts";
import { Scheduler, seeded } from "../support/scheduler.ts";

const INSTANCES = 3;
const CALLS = 24;
const KEYS = 12;
const logs = [groupLog(uuid(1)), groupLog(uuid(2))] as const;
const TRANSIENT: readonly Fault[] = ["answer-lost", "request-lost", "late", "late", "full", "unavailable"];

interface Call {
  readonly key: number;
  readonly recordId: string;
  readonly end: Promise<Appended | ServiceError>;
}

/** Many calls, some of them repeats of others, to several instances at once; the seed decides everything. */
async function play(seed: number, order: CheckOrder, faultRate: number) {
  const random = seeded(seed);
  const scheduler = new Scheduler(random);
  const stream = Object.assign(new ModelStream(), { order, turn: scheduler.turn });
  stream.fault = () => (random() < faultRate ? (TRANSIENT[Math.floor(random() * TRANSIENT.length)] ?? "none") : "none");
  const instances = Array.from({ length: INSTANCES }, () => {
    const clock = Object.assign(new FakeClock(), { turn: scheduler.turn });
    return new Appender(stream, new FakeStore(), clock, { ...LIMITS, heads: 1 });
  });
  const start = (index: number): Call => {
    const key = Math.floor(random() * KEYS);
    const log = logs[key % logs.length] ?? logs[0];
    const recordId = uuid(1000 + index);
    const content = { kind: { case: "text" as const, value: { text: `text ${key}` } } };
    const record = create(RecordSchema, {
      conversationId: log.id,
      recordId,
      senderUserId: uuid(7),
      body: { case: "message", value: { clientMessageId: uuid(key), content } },
    });
    const instance = instances[Math.floor(random() * INSTANCES)] ?? instances[0];
    assert.ok(instance);
    const draft = { log, messageId: `${uuid(7)}:${uuid(key)}`, record, ready: undefined, traceparent: "" };
    const end = instance.append(draft).catch((error: unknown) => {
      assert.ok(error instanceof ServiceError, String(error));
      return error;
    });
    return { key, recordId, end };
  };
  const calls: Call[] = [];
  const starting = (async () => {
    for (let index = 0; index < CALLS; index++) {
      calls.push(start(index));
      if (random() < 0.5) await scheduler.turn();
    }
  })();
  await scheduler.run();
  await starting;
  await stream.settled();
  return { stream, calls, ends: await Promise.all(calls.map(({ end }) => end)) };
}

function check({ stream, calls, ends }: Awaited<ReturnType<typeof play>>) {
  const records = logs.flatMap((log) => {
    const stored = stream.recordsOf(log.id);
    assert.deepEqual(
      stored.map(({ seq }) => seq),
      stored.map((_, index) => BigInt(index + 1)),
      "gapless from 1",
    );
    return stored;
  });
  const keyOf = (record: (typeof records)[number]) =>
    record.body.case === "message" ? record.body.value.clientMessageId : "";
  assert.equal(new Set(records.map(keyOf)).size, records.length, "each message once");
  for (const [index, end] of ends.entries()) {
    const call = calls[index];
    assert.ok(call);
    const stored = records.find((record) => keyOf(record) === uuid(call.key));
    if (end instanceof ServiceError) {
      assert.match(end.reason, /_(OUTCOME_UNKNOWN|UNAVAILABLE|OVERLOADED)$/);
      const nothingStored = end.reason !== "ERROR_REASON_OUTCOME_UNKNOWN";
      if (nothingStored) assert.notEqual(stored?.recordId, call.recordId, "refused means not stored");
      continue;
    }
    assert.ok(stored, "acknowledged means stored");
    assert.deepEqual([end.record.recordId, end.record.seq], [stored.recordId, stored.seq]);
    assert.equal(end.duplicate, stored.recordId !== call.recordId);
  }
}

describe("several instances that append to the same logs", () => {
  for (const order of ["sequence-first", "id-first"] as CheckOrder[]) {
    for (const faultRate of [0, 0.2, 0.6]) {
      it(`keep every promise in 300 random orders: ${order}, ${faultRate * 100} % faults`, async function () {
        this.timeout(60_000);
        let acknowledged = 0;
        for (let seed = 1; seed <= 300; seed++) {
          const game = await play(seed, order, faultRate);
          try {
            check(game);
          } catch (error) {
            throw new Error(`seed ${seed}`, { cause: error });
          }
          acknowledged += game.ends.filter((end) => !(end instanceof ServiceError)).length;
        }
        assert.ok(acknowledged > 300 * CALLS * (faultRate === 0 ? 0.99 : 0.3), `only ${acknowledged} acknowledged`);
      });
    }
  }
});
