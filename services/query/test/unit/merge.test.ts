import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { parseConversationId, readableIntervals } from "../../src/core/access.ts";
import { readStretch } from "../../src/core/merge.ts";
import type { PlacedRecord, QueryPeers, RecordLog, RecordStore } from "../../src/ports.ts";

const placed = (seq: number): PlacedRecord => ({
  record: create(RecordSchema, { conversationId: "c", seq: BigInt(seq), recordId: `r${seq}` }),
  streamSequence: seq * 10, // other conversations lie between
});

/** A store and a log that hold the given seqs. */
function sources(stored: number[], logged: number[]) {
  const store: Pick<RecordStore, "range" | "streamSequenceBefore"> = {
    range: async (_id, from, to) => stored.filter((seq) => seq >= from && seq <= to).map(placed),
    streamSequenceBefore: async (_id, before) => {
      const seq = stored.findLast((each) => each < before);
      return seq === undefined ? undefined : seq * 10;
    },
  };
  const asked: number[] = [];
  const log: RecordLog = {
    last: async () => undefined,
    lastOf: async () => new Map(),
    from: async (_id, sequence, limit) => {
      asked.push(sequence);
      return logged
        .map(placed)
        .filter((each) => each.streamSequence >= sequence)
        .slice(0, limit);
    },
  };
  return { sources: { store: store as RecordStore, log }, asked };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const read = async (from: { sources: Parameters<typeof readStretch>[0] }, fromSeq: number, toSeq: number) =>
  (await readStretch(from.sources, "c", { fromSeq: BigInt(fromSeq), toSeq: BigInt(toSeq) })).map(({ seq }) =>
    Number(seq),
  );

describe("readStretch", () => {
  it("needs the store alone when it has everything", async () => {
    const from = sources(upTo(10), []);
    assert.deepEqual(await read(from, 3, 6), [3, 4, 5, 6]);
    assert.deepEqual(from.asked, []);
  });

  it("takes from the log what the writer has not written, from the last record that it has", async () => {
    const from = sources(upTo(6), upTo(10));
    assert.deepEqual(await read(from, 4, 9), [4, 5, 6, 7, 8, 9]);
    assert.deepEqual(from.asked, [61]);
  });

  it("fills holes in the middle, and a stretch of which nothing is stored", async () => {
    assert.deepEqual(await read(sources([1, 2, 4, 6], upTo(6)), 1, 6), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await read(sources([], upTo(6)), 2, 5), [2, 3, 4, 5]);
    const far = sources(upTo(2), upTo(1_000));
    assert.deepEqual(await read(far, 990, 992), [990, 991, 992]);
    assert.ok(far.asked.length > 1, "reads on, page by page");
  });

  it("fails rather than skip a record", async () => {
    await assert.rejects(read(sources([1, 2, 4], [1, 2, 4]), 1, 4), { reason: "ERROR_REASON_UNAVAILABLE" });
  });
});

describe("readableIntervals", () => {
  const a = "00000000-0000-7000-8000-00000000000a";
  const b = "00000000-0000-7000-8000-00000000000b";
  const c = "00000000-0000-7000-8000-00000000000c";
  const peers: QueryPeers = {
    signingKeys: async () => [],
    intervals: async (groupId, userId) => (groupId === c && userId === a ? [{ fromSeq: 2n, toSeq: 4n }] : []),
    groupsOf: async () => [],
    membersOf: async () => [],
  };
  const NOT_FOUND = { reason: "ERROR_REASON_CONVERSATION_NOT_FOUND" };

  it("lets the two of a direct conversation read all of it, and nobody else", async () => {
    assert.deepEqual(await readableIntervals(peers, `d_${a}_${b}`, b), [{ fromSeq: 1n, toSeq: undefined }]);
    await assert.rejects(readableIntervals(peers, `d_${a}_${b}`, c), NOT_FOUND);
    await assert.rejects(readableIntervals(peers, `d_${b}_${a}`, a), NOT_FOUND, "the wrong order is no id");
  });

  it("asks the group service, and tells a stranger nothing", async () => {
    assert.deepEqual(await readableIntervals(peers, `g_${c}`, a), [{ fromSeq: 2n, toSeq: 4n }]);
    await assert.rejects(readableIntervals(peers, `g_${c}`, b), NOT_FOUND);
    await assert.rejects(readableIntervals(peers, `u_${a}`, a), NOT_FOUND);
  });

  it("reads ids strictly", () => {
    assert.deepEqual(parseConversationId(`g_${c}`), { kind: "group", groupId: c });
    for (const bad of [
      "",
      "g_",
      `g_${c} `,
      `g_${c.toUpperCase()}`,
      `d_${a}`,
      `d_${a}_${a}`,
      `d_${a}_${b}_${c}`,
      "$ne",
    ]) {
      assert.equal(parseConversationId(bad), undefined, bad);
    }
  });
});
