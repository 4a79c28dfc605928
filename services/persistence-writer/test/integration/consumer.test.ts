import assert from "node:assert/strict";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { connectBus } from "@oceanchat/runtime/bus";
import type { Bus, Consumption } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { silentLog } from "@oceanchat/runtime/testing";
import { consumeLog } from "../../src/consumer.ts";
import type { WritableEntry } from "../../src/core/entry.ts";
import { Progress } from "../../src/core/progress.ts";
import type { WriterCore } from "../../src/core.ts";
import { RecordRefusedError } from "../../src/errors.ts";
import { entry, id } from "../support/entries.ts";

const stream = streamOf(LogEntrySchema);
const MOST_HELD = 12_000;

describe("consumeLog", () => {
  let servers: TestServers;
  let bus: Bus;
  let consumption: Consumption | undefined;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true });
    bus = await connectBus({
      url: servers.natsUrl,
      name: "test",
      log: silentLog,
      onClosed: (error) => assert.fail(error),
    });
    await bus.ensureStream(LogEntrySchema);
    await bus.ensureStream(DeadLetterSchema);
  });

  after(async () => {
    await bus?.close();
    await servers?.stop();
  });

  afterEach(() => consumption?.stop());

  async function append(from: number, count: number): Promise<void> {
    for (let first = from; first < from + count; first += 200) {
      const one = async (n: number) => {
        const conversationId = `g_${id(n % 64)}`;
        const subject = stream.subjectOf("conversation", { id: conversationId });
        const bytes = toBinary(LogEntrySchema, entry(n + 1, n, { conversationId }));
        await bus.publish(subject, bytes, { expectStream: "LOG" });
      };
      await Promise.all(Array.from({ length: Math.min(200, from + count - first) }, (_, n) => one(first + n)));
    }
  }

  /** A core that `allowed` may refuse a batch of, and a promise of when it has stored so many. */
  function storing(count: number, allowed: (entries: readonly WritableEntry[]) => void) {
    const stored = new Set<string>();
    const all = Promise.withResolvers<void>();
    const core: WriterCore = {
      async write(entries) {
        allowed(entries);
        for (const { row } of entries) stored.add(row.recordId);
        if (stored.size >= count) all.resolve();
        return entries.map(() => ({ kind: "stored" }));
      },
    };
    return { core, stored, all: all.promise };
  }

  it("leaves the backlog in the stream while the store is down, and stores it then", async function () {
    this.timeout(60_000);
    let down = true;
    const count = MOST_HELD + 2000;
    const { core, all } = storing(count, () => {
      if (down) throw new Error("down");
    });
    consumption = await consumeLog(bus, core, new Progress(), silentLog);
    await append(0, count);
    while (consumption.held().messages < MOST_HELD) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(consumption.held().messages, MOST_HELD);
    assert.equal(await consumption.lag(), 2000);
    down = false;
    await all;
    assert.equal(await consumption.lag(), 0);
  });

  it("takes out what the store refuses, says why, and stores the rest", async function () {
    this.timeout(60_000);
    const poison = id(20_007);
    const { core, stored, all } = storing(499, (entries) => {
      if (entries.some(({ row }) => row.recordId === poison)) throw new RecordRefusedError("too odd");
    });
    consumption = await consumeLog(bus, core, new Progress(), silentLog);
    await append(20_000, 500);
    await all;
    assert.equal(stored.has(poison), false);
    let letters = await bus.bySubjectFrom("DEAD", "dead.LOG", 1, 10);
    while (letters.length === 0) letters = await bus.bySubjectFrom("DEAD", "dead.LOG", 1, 10);
    const [letter, ...others] = letters.map(({ data }) => fromBinary(DeadLetterSchema, data));
    assert.deepEqual(others, []);
    assert.equal(letter?.reason, "too odd");
    assert.equal(fromBinary(LogEntrySchema, letter.payload).record?.recordId, poison);
  });
});
