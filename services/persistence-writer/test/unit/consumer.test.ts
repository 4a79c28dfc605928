import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { delivered } from "@oceanchat/runtime/testing";
import { pino } from "pino";
import { handleBatch, reportLag } from "../../src/consumer.ts";
import { createWriterCore } from "../../src/core.ts";
import { DIRECT, entry, id } from "../support/entries.ts";
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

describe("reportLag", () => {
  it("says how far behind the writer is, and nothing when it isn't", async () => {
    const behind = [0, 7];
    const line = Promise.withResolvers<string>();
    const destination = { write: (text: string) => line.resolve(text) };
    const consumption = {
      lag: async () => behind.shift() ?? 0,
      held: () => ({ messages: 3, lanes: 1, running: 1 }),
    };
    const end = reportLag(consumption, pino({}, destination), 1);
    const { behind: said, held } = JSON.parse(await line.promise);
    end();
    assert.deepEqual({ said, held }, { said: 7, held: 3 });
  });
});
