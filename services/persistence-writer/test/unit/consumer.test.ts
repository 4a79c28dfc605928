import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { delivered } from "@oceanchat/runtime/testing";
import { pino } from "pino";
import { handleBatch, reportBacklog } from "../../src/consumer.ts";
import { Progress } from "../../src/core/progress.ts";
import { createWriterCore } from "../../src/core.ts";
import { DIRECT, entry, id, T0 } from "../support/entries.ts";
import { MemoryStore, noTail } from "../support/memory-store.ts";

const log = pino({ level: "silent" });
const message = (sequence: number, ...args: Parameters<typeof entry>) =>
  delivered(sequence, toBinary(LogEntrySchema, entry(...args)));

describe("handleBatch", () => {
  it("sends only the poison to the dead, in its own place", async () => {
    const store = new MemoryStore();
    const core = createWriterCore(store, noTail);
    const outcomes = await handleBatch(core, log, [
      delivered(1, new Uint8Array([0xff, 0xff, 0xff])),
      message(2, 1, 10),
      delivered(3, new Uint8Array()),
      message(4, 1, 99), // another record in the same place
      message(5, 2, 11),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => (typeof outcome === "string" ? outcome : Object.keys(outcome)[0])),
      ["dead", "ack", "dead", "dead", "ack"],
    );
    assert.deepEqual(
      store.rows.map(({ recordId, streamSequence }) => [recordId, streamSequence]),
      [
        [id(10), 2n],
        [id(11), 5n],
      ],
    );
    assert.equal(store.heads.get(DIRECT)?.headSeq, 2n);
  });

  it("does not ask the store for a batch of nothing but poison", async () => {
    const store = new MemoryStore();
    await handleBatch(createWriterCore(store, noTail), log, [delivered(1, new Uint8Array())]);
    assert.deepEqual(store.calls, []);
  });
});

describe("reportBacklog", () => {
  const said = async (pending: readonly number[], held: number, times: (progress: Progress, look: number) => void) => {
    const lines: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
    const left = [...pending];
    const consumption = {
      lag: async () => left.shift() ?? 0,
      held: () => ({ messages: held, lanes: 1, running: 1 }),
    };
    const progress = new Progress();
    for (const look of pending.keys()) {
      times(progress, look);
      await reportBacklog(consumption, progress, pino({}, destination), T0 + 10_000 * look);
    }
    return lines.map(({ behind, oldestMs, storedPerSecond, arrivedPerSecond }) => [
      behind,
      oldestMs,
      storedPerSecond,
      arrivedPerSecond,
    ]);
  };

  it("says how far behind the writer is, how fast it catches up, and nothing when it isn't behind", async () => {
    const lines = await said([900, 500, 0], 100, (progress, look) => {
      progress.began(1, T0 - 3000);
      if (look === 0) progress.began(2, T0 - 7000);
      if (look === 1) progress.ended(2, 1000);
      if (look === 2) progress.ended(1, 1);
    });
    assert.deepEqual(lines, [
      [1000, 7000, 0, 0],
      [600, 13_000, 100, 60],
    ]);
  });

  it("speaks of records that it holds and can't store", async () => {
    const lines = await said([0, 0], 5, (progress) => progress.began(1, T0));
    assert.deepEqual(lines, [[5, 10_000, 0, 0]]);
  });
});
