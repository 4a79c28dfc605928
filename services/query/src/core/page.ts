import type { Interval } from "../ports.ts";

/** A stretch of seqs, both ends included. */
export interface Stretch {
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
}

/** Which seqs an answer holds, in ascending order, and whether more follow in the direction asked for. */
export interface Page {
  readonly stretches: readonly Stretch[];
  readonly hasMore: boolean;
}

/** What is asked for: what follows a seq, what comes before one, or the newest. */
export interface PageRequest {
  readonly afterSeq: bigint | undefined;
  readonly beforeSeq: bigint | undefined;
  readonly limit: number;
}

/** Chooses the seqs of a page: only such as exist and as the intervals allow. */
export function choosePage(intervals: readonly Interval[], headSeq: bigint, request: PageRequest): Page {
  const { afterSeq, beforeSeq, limit } = request;
  const first = afterSeq === undefined ? 1n : afterSeq + 1n;
  const last = beforeSeq === undefined || beforeSeq > headSeq ? headSeq : beforeSeq - 1n;
  const readable = clip(intervals, first, last);
  return afterSeq === undefined ? fromTheEnd(readable, limit) : fromTheStart(readable, limit);
}

/** The last seq that the intervals allow; 0 when there is none. */
export function lastReadable(intervals: readonly Interval[], headSeq: bigint): bigint {
  return clip(intervals, 1n, headSeq).at(-1)?.toSeq ?? 0n;
}

function clip(intervals: readonly Interval[], first: bigint, last: bigint): Stretch[] {
  return intervals.flatMap(({ fromSeq, toSeq }) => {
    const from = fromSeq > first ? fromSeq : first;
    const to = toSeq === undefined || toSeq > last ? last : toSeq;
    return from <= to ? [{ fromSeq: from, toSeq: to }] : [];
  });
}

function fromTheStart(readable: readonly Stretch[], limit: number): Page {
  const stretches: Stretch[] = [];
  let left = BigInt(limit);
  for (const { fromSeq, toSeq } of readable) {
    if (left === 0n) return { stretches, hasMore: true };
    const end = fromSeq + left - 1n < toSeq ? fromSeq + left - 1n : toSeq;
    stretches.push({ fromSeq, toSeq: end });
    left -= end - fromSeq + 1n;
    if (end < toSeq) return { stretches, hasMore: true };
  }
  return { stretches, hasMore: false };
}

function fromTheEnd(readable: readonly Stretch[], limit: number): Page {
  const stretches: Stretch[] = [];
  let left = BigInt(limit);
  for (const { fromSeq, toSeq } of readable.toReversed()) {
    if (left === 0n) return { stretches, hasMore: true };
    const start = toSeq - left + 1n > fromSeq ? toSeq - left + 1n : fromSeq;
    stretches.unshift({ fromSeq: start, toSeq });
    left -= toSeq - start + 1n;
    if (start > fromSeq) return { stretches, hasMore: true };
  }
  return { stretches, hasMore: false };
}
