import assert from "node:assert/strict";
import { choosePage, lastReadable } from "../../src/core/page.ts";
import type { Interval } from "../../src/ports.ts";

const whole: Interval[] = [{ fromSeq: 1n, toSeq: undefined }];
const twice: Interval[] = [
  { fromSeq: 3n, toSeq: 5n },
  { fromSeq: 8n, toSeq: undefined },
];
const seqs = (
  intervals: Interval[],
  head: bigint,
  request: { afterSeq?: bigint; beforeSeq?: bigint; limit: number },
) => {
  const { stretches, hasMore } = choosePage(intervals, head, {
    afterSeq: request.afterSeq,
    beforeSeq: request.beforeSeq,
    limit: request.limit,
  });
  const list: number[] = [];
  for (const { fromSeq, toSeq } of stretches) for (let seq = fromSeq; seq <= toSeq; seq++) list.push(Number(seq));
  return { list, hasMore };
};

describe("choosePage", () => {
  it("gives the newest when nothing else is asked for", () => {
    assert.deepEqual(seqs(whole, 10n, { limit: 3 }), { list: [8, 9, 10], hasMore: true });
    assert.deepEqual(seqs(whole, 2n, { limit: 3 }), { list: [1, 2], hasMore: false });
    assert.deepEqual(seqs(whole, 0n, { limit: 3 }), { list: [], hasMore: false });
  });

  it("goes forward from a seq and backward from one", () => {
    assert.deepEqual(seqs(whole, 10n, { afterSeq: 0n, limit: 4 }), { list: [1, 2, 3, 4], hasMore: true });
    assert.deepEqual(seqs(whole, 10n, { afterSeq: 8n, limit: 4 }), { list: [9, 10], hasMore: false });
    assert.deepEqual(seqs(whole, 10n, { afterSeq: 99n, limit: 4 }), { list: [], hasMore: false });
    assert.deepEqual(seqs(whole, 10n, { beforeSeq: 4n, limit: 2 }), { list: [2, 3], hasMore: true });
    assert.deepEqual(seqs(whole, 10n, { beforeSeq: 1n, limit: 2 }), { list: [], hasMore: false });
    assert.deepEqual(seqs(whole, 10n, { beforeSeq: 99n, limit: 2 }), { list: [9, 10], hasMore: true });
  });

  it("never leaves the membership, and steps over the gap between two", () => {
    assert.deepEqual(seqs(twice, 10n, { afterSeq: 0n, limit: 5 }), { list: [3, 4, 5, 8, 9], hasMore: true });
    assert.deepEqual(seqs(twice, 10n, { afterSeq: 0n, limit: 3 }), { list: [3, 4, 5], hasMore: true });
    assert.deepEqual(seqs(twice, 10n, { limit: 4 }), { list: [5, 8, 9, 10], hasMore: true });
    assert.deepEqual(seqs(twice, 10n, { beforeSeq: 8n, limit: 9 }), { list: [3, 4, 5], hasMore: false });
    assert.deepEqual(seqs([{ fromSeq: 3n, toSeq: 5n }], 10n, { limit: 9 }), { list: [3, 4, 5], hasMore: false });
  });

  it("walks the same records in both directions, whatever the page", () => {
    for (let limit = 1; limit <= 7; limit++) {
      const forward: number[] = [];
      for (let after = 0n, more = true; more; ) {
        const { list, hasMore } = seqs(twice, 12n, { afterSeq: after, limit });
        forward.push(...list);
        after = BigInt(list.at(-1) ?? 99);
        more = hasMore;
      }
      const backward: number[] = [];
      for (let before = 13n, more = true; more; ) {
        const { list, hasMore } = seqs(twice, 12n, { beforeSeq: before, limit });
        backward.unshift(...list);
        before = BigInt(list[0] ?? 0);
        more = hasMore;
      }
      assert.deepEqual(forward, [3, 4, 5, 8, 9, 10, 11, 12]);
      assert.deepEqual(backward, forward);
    }
  });
});

describe("lastReadable", () => {
  it("ends with the membership", () => {
    assert.equal(lastReadable(whole, 10n), 10n);
    assert.equal(lastReadable([{ fromSeq: 3n, toSeq: 5n }], 10n), 5n);
    assert.equal(lastReadable([{ fromSeq: 11n, toSeq: undefined }], 10n), 0n);
  });
});
