import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Db } from "mongodb";
import { entry } from "./entries.ts";

const stream = streamOf(LogEntrySchema);

/** The log as message writes it, and the store as writers fill it. */
export class WrittenLog {
  readonly #bus: Bus;
  readonly #db: Db;
  #nextRecord = 1000;

  constructor(bus: Bus, db: Db) {
    this.#bus = bus;
    this.#db = db;
  }

  /** Publishes an entry as the message service does; resolves with its stream sequence. */
  async append(logEntry: LogEntry): Promise<number> {
    const conversationId = logEntry.record?.conversationId ?? "";
    const subject = stream.subjectOf("conversation", { id: conversationId });
    const { sequence } = await this.#bus.publish(subject, toBinary(LogEntrySchema, logEntry), { expectStream: "LOG" });
    return sequence;
  }

  /** Appends this many records to each conversation; resolves with the sequence of each one's last. */
  async appendMany(conversations: readonly string[], count: number, firstSeq: number): Promise<Map<string, number>> {
    const last = new Map<string, number>();
    for (let seq = firstSeq; seq < firstSeq + count; seq++) {
      await Promise.all(
        conversations.map(async (conversationId) => {
          const sequence = await this.append(entry(seq, this.#nextRecord++, { conversationId }));
          last.set(conversationId, sequence);
        }),
      );
    }
    return last;
  }

  async storedOf(conversations: readonly string[]): Promise<number> {
    try {
      return await this.#db.collection("records").countDocuments({ conversationId: { $in: [...conversations] } });
    } catch {
      return -1; // the store is down: that is what is being tested
    }
  }

  /** Resolves when the store holds at least that many of them; fails after a minute, with what the writer says. */
  async untilStored(conversations: readonly string[], count: number, writerLog: () => string): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const stored = await this.storedOf(conversations);
      if (stored >= count) return;
      assert.ok(Date.now() < deadline, `${stored} of ${count} stored; the writer says:\n${writerLog().slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Every conversation has so many records without a hole, and its head is the last. */
  async assertGapless(conversations: readonly string[], count: number, last: ReadonlyMap<string, number>) {
    for (const conversationId of conversations) {
      const rows = await this.#db.collection("records").find({ conversationId }).sort({ seq: 1 }).toArray();
      assert.deepEqual(
        rows.map(({ seq }) => seq),
        Array.from({ length: count }, (_, index) => BigInt(index + 1)),
      );
      const head = await this.#db.collection<{ _id: string }>("conversation_heads").findOne({ _id: conversationId });
      const lastRow = rows.at(-1);
      assert.deepEqual(head, {
        _id: conversationId,
        headSeq: BigInt(count),
        streamSequence: BigInt(last.get(conversationId) ?? 0),
        lastTime: lastRow?.acceptedTime,
        lastRecord: lastRow?.record,
      });
      assert.equal(lastRow?.streamSequence, BigInt(last.get(conversationId) ?? 0));
    }
  }
}
