import assert from "node:assert/strict";
import { readerOf, readHistory } from "../../src/core/history.ts";
import { StoredUpTo } from "../../src/core/stored-up-to.ts";
import type { RecordStore } from "../../src/ports.ts";
import { edit, expected, randomLog, randomOf, react, recordOf, shownOf } from "../support/model.ts";
import { sourcesOf } from "../support/tiers.ts";

const reader = readerOf("bob", [{ fromSeq: 1n, toSeq: undefined }]);
const page = (fromSeq: number, toSeq: number, headSeq: number) => ({
  head: { seq: BigInt(headSeq), streamSequence: headSeq * 10, inLog: true, record: undefined },
  stretches: [{ fromSeq: BigInt(fromSeq), toSeq: BigInt(toSeq) }],
});

describe("StoredUpTo", () => {
  it("never goes back, and forgets what was raised longest ago", () => {
    const stored = new StoredUpTo(4);
    const place = (seq: bigint) => ({ seq, streamSequence: Number(seq) });
    stored.raise("a", place(5n));
    stored.raise("a", place(3n));
    stored.raise("b", place(1n));
    stored.raise("a", place(4n));
    stored.raise("c", place(1n));
    assert.deepEqual([stored.of("a").seq, stored.of("b").seq, stored.of("c").seq], [5n, 0n, 1n]);
  });
});

describe("readHistory", () => {
  it("leaves out what only changes others, and keeps the rest", async () => {
    const membership = recordOf(3, "bob", { case: "membership", value: { joined: ["cid"] } });
    const log = [recordOf(1), recordOf(2, "ann", edit(1, "new")), membership, recordOf(4, "bob", react(1, "🎉"))];
    const records = await readHistory(
      sourcesOf(log, () => true, 4n),
      reader,
      "c",
      page(1, 4, 4),
    );
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [1n, 3n],
    );
    assert.deepEqual(shownOf(records[0] ?? recordOf(1)).text, "new");
  });

  it("shows a change at once, also one that lies far behind the page and that no writer has written", async () => {
    const log = Array.from({ length: 1500 }, (_, n) => recordOf(n + 1));
    log.push(recordOf(1501, "ann", edit(1, "edited at 1501")));
    for (const written of [0n, 200n, 999n, 1000n, 1001n, 1499n, 1500n]) {
      const sources = sourcesOf(log, (seq) => seq <= written, written);
      const [first] = await readHistory(sources, reader, "c", page(1, 1, 1501));
      assert.equal(first && shownOf(first).text, "edited at 1501", `written up to ${written}`);
    }
  });

  it("shows a change that lies further back than holes are looked for, when the writer is that far behind", async () => {
    const log = Array.from({ length: 1500 }, (_, n) => recordOf(n + 1, "ann", n === 599 ? edit(1, "new") : undefined));
    const [first] = await readHistory(
      sourcesOf(log, (seq) => seq <= 200n, 200n),
      reader,
      "c",
      page(1, 1, 1500),
    );
    assert.equal(first && shownOf(first).text, "new");
  });

  it("does not take an answer of the log that ends too early for the whole", async () => {
    const sources = sourcesOf([recordOf(1), recordOf(2)], (seq) => seq === 1n, 1n);
    const unavailable = { reason: "ERROR_REASON_UNAVAILABLE" };
    await assert.rejects(readHistory(sources, reader, "c", page(1, 1, 3)), unavailable);
  });

  it("looks only at what it doesn't know to be stored, and not at the last few records, which it reads from the log", async () => {
    const log = Array.from({ length: 200 }, (_, n) => recordOf(n + 1));
    const sources = sourcesOf(log, (seq) => seq !== 150n && seq <= 180n, 180n);
    const asked: [bigint, bigint][] = [];
    const storedSeqs: RecordStore["storedSeqs"] = (id, from, to) => {
      asked.push([from, to]);
      return sources.store.storedSeqs(id, from, to);
    };
    const counting = { ...sources, store: { ...sources.store, storedSeqs } };
    for (const headSeq of [100, 160, 200, 200, 149]) await readHistory(counting, reader, "c", page(1, 5, headSeq));
    assert.deepEqual(asked, [
      [1n, 100n],
      [101n, 200n],
    ]);
  });

  it("asks the store for everything at once where it has read before, and the first time in two steps, or three with a hole", async () => {
    const log = Array.from({ length: 300 }, (_, n) => recordOf(n + 1));
    const sources = sourcesOf(log, (seq) => seq <= 290n, 290n);
    let running: string[] = [];
    const steps: string[][] = [];
    const store = new Proxy(sources.store, {
      get:
        (target, name, receiver) =>
        async (...given: unknown[]) => {
          if (running.length === 0) steps.push(running);
          running.push(String(name));
          const answer: unknown = await Reflect.apply(Reflect.get(target, name, receiver), target, given);
          await new Promise((resolve) => setImmediate(resolve));
          running = [];
          return answer;
        },
    });
    for (let reading = 0; reading < 2; reading++)
      await readHistory({ ...sources, store }, reader, "c", page(1, 50, 300));
    // `changes` is two queries at once.
    assert.deepEqual(steps, [["range", "storedSeqs"], ["streamSequenceBefore"], ["changes"], ["range", "changes"]]);
  });

  it("shows what lies beyond a hole that nothing can fill any more", async () => {
    const log = Array.from({ length: 90 }, (_, n) => recordOf(n + 1, "ann", n === 85 ? edit(1, "new") : undefined));
    const sources = sourcesOf(
      log,
      (seq) => seq !== 50n,
      90n,
      (seq) => seq > 80n,
    );
    const [first] = await readHistory(sources, reader, "c", page(1, 1, 90));
    assert.equal(first && shownOf(first).text, "new");
  });

  it("is what a reading of the whole log gives, whichever records several writers have written (200 random logs)", async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = randomOf(seed);
      const log = randomLog(random, 2 + random(60));
      const stored = new Set(log.filter(() => random(4) !== 0).map(({ seq }) => seq));
      const headSeq = log.length;
      const storeHead = log.findLast(({ seq }) => stored.has(seq))?.seq ?? 0n;
      const from = 1 + random(headSeq);
      const to = from + random(headSeq - from + 1);
      const sources = sourcesOf(log, (seq) => stored.has(seq), storeHead);
      const records = await readHistory(sources, reader, "c", page(from, to, headSeq));
      const messages = records.filter(({ body }) => body.case === "message");
      assert.equal(messages.length, log.slice(from - 1, to).filter(({ body }) => body.case === "message").length);
      for (const record of messages)
        assert.deepEqual(shownOf(record), expected(log, record.seq, "bob"), `seed ${seed}, message ${record.seq}`);
    }
  });
});
