import assert from "node:assert/strict";
import { type WritableEntry, writableEntry } from "../../src/core/entry.ts";
import { joinedWrites } from "../../src/core/joined.ts";
import type { WriterCore, Written } from "../../src/core.ts";
import { entry } from "../support/entries.ts";

const entries = (...seqs: number[]): WritableEntry[] =>
  seqs.map((seq) => {
    const what = entry(seq, 10 + seq);
    return writableEntry(what, { streamSequence: BigInt(seq), messageId: undefined, encoded: new Uint8Array() });
  });

/** Writes, but for a record that it chokes on; says what it was given. */
function choosy(bad?: bigint) {
  const batches: number[][] = [];
  const core: WriterCore = {
    async write(given): Promise<Written[]> {
      batches.push(given.map(({ row }) => Number(row.seq)));
      if (given.some(({ row }) => row.seq === bad)) throw new Error("refused");
      return given.map(({ row }) => ({ kind: "contradicted", reason: String(row.seq) }));
    },
  };
  return { batches, core };
}

const reasons = (written: readonly Written[]) =>
  written.map((each) => (each.kind === "contradicted" ? each.reason : ""));

describe("joinedWrites", () => {
  it("writes what lanes have in the same turn as one batch, and gives each its own answers", async () => {
    const { batches, core } = choosy();
    const joined = joinedWrites(core, 100);
    const answers = await Promise.all([joined.write(entries(1, 2)), joined.write(entries(3)), joined.write([])]);
    assert.deepEqual(answers.map(reasons), [["1", "2"], ["3"], []]);
    await joined.write(entries(4));
    assert.deepEqual(batches, [[1, 2, 3], [4]]);
  });

  it("lets no lane fail for another's record", async () => {
    const { batches, core } = choosy(3n);
    const joined = joinedWrites(core, 100);
    const [good, bad] = await Promise.allSettled([joined.write(entries(1, 2)), joined.write(entries(3))]);
    assert.deepEqual(good?.status === "fulfilled" && reasons(good.value), ["1", "2"]);
    assert.equal(bad?.status === "rejected" && String(bad.reason), "Error: refused");
    assert.deepEqual(batches, [[1, 2, 3], [1, 2], [3]]);
  });

  it("joins no more than fits", async () => {
    const { batches, core } = choosy();
    const joined = joinedWrites(core, 3);
    await Promise.all([joined.write(entries(1, 2)), joined.write(entries(3)), joined.write(entries(4, 5))]);
    assert.deepEqual(batches, [
      [1, 2, 3],
      [4, 5],
    ]);
  });
});
