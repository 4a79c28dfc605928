import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Interval } from "../ports.ts";
import { asItStands, isChange, type Reader, standingOf } from "./fold.ts";
import { eachLogged, readStretch, type Sources } from "./merge.ts";
import type { Stretch } from "./page.ts";
import type { StoredUpTo } from "./stored-up-to.ts";

/**
 * How far before the head holes are looked for. Several writers may store one conversation's records out of order, each a batch at
 * a time; further back everything up to the store's head is taken as stored.
 */
const HOLES_WITHIN = 500n;

/** Where records are read, and what is known of the store. */
export interface HistorySources extends Sources {
  readonly storedUpTo: StoredUpTo;
}

/** A reader and what he may read. */
export function readerOf(userId: string, intervals: readonly Interval[]): Reader {
  const mayRead = (seq: bigint) =>
    intervals.some(({ fromSeq, toSeq }) => seq >= fromSeq && (toSeq === undefined || seq <= toSeq));
  return { userId, mayRead };
}

/** Messages as they stand now; the records that made them so are left out. */
export async function readHistory(
  sources: HistorySources,
  reader: Reader,
  conversationId: string,
  { headSeq, stretches }: { readonly headSeq: bigint; readonly stretches: readonly Stretch[] },
): Promise<LogRecord[]> {
  const parts = await Promise.all(stretches.map((stretch) => readStretch(sources, conversationId, stretch)));
  const records = parts.flat().filter((record) => !isChange(record));
  const seqs = records.flatMap(({ seq, body }) => (body.case === "message" ? [seq] : []));
  if (seqs.length === 0) return records;
  // In this order: what is written between the two steps is seen twice, which does no harm; the other way round, never.
  const newest = await unwrittenChanges(sources, conversationId, headSeq, new Set(seqs));
  const standing = standingOf(await sources.store.changes(conversationId, seqs), newest);
  return records.map((record) => asItStands(record, standing, reader));
}

/**
 * The changes of these messages that the writer may not have written yet. It writes what a record changes before the record, so
 * up to the first record that the store lacks everything is there.
 */
async function unwrittenChanges(
  sources: HistorySources,
  conversationId: string,
  headSeq: bigint,
  targets: ReadonlySet<bigint>,
): Promise<LogRecord[]> {
  const known = sources.storedUpTo.of(conversationId);
  if (known >= headSeq) return [];
  const windowStart = known + HOLES_WITHIN > headSeq ? known + 1n : headSeq - HOLES_WITHIN + 1n;
  const stored = await sources.store.storedSeqs(conversationId, windowStart, headSeq);
  const firstHole = holeIn(stored, windowStart, headSeq);
  if (stored.length > 0) sources.storedUpTo.raise(conversationId, (firstHole ?? headSeq + 1n) - 1n);
  if (firstHole === undefined) return [];
  const fromSeq = stored.length > 0 ? firstHole : await afterStoreHead(sources, conversationId, windowStart);
  const changes: LogRecord[] = [];
  const afterSequence = (await sources.store.streamSequenceBefore(conversationId, fromSeq)) ?? 0;
  const reached = await eachLogged(sources.log, conversationId, { afterSequence, toSeq: headSeq }, (record) => {
    const { body } = record;
    if (body.case !== "edit" && body.case !== "recall" && body.case !== "reaction") return;
    if (record.seq <= headSeq && targets.has(body.value.targetSeq)) changes.push(record);
  });
  if (reached < headSeq && stored.at(-1) !== headSeq)
    throw shared.unavailable("the newest records can't be read at the moment");
  return changes;
}

function holeIn(stored: readonly bigint[], fromSeq: bigint, toSeq: bigint): bigint | undefined {
  let expected = fromSeq;
  for (const seq of stored) {
    if (seq !== expected) return expected;
    expected++;
  }
  return expected <= toSeq ? expected : undefined;
}

/** The writer is further behind than the window. */
async function afterStoreHead({ store }: Sources, conversationId: string, windowStart: bigint): Promise<bigint> {
  const head = (await store.heads([conversationId])).get(conversationId)?.seq ?? 0n;
  return head + 1n < windowStart ? head + 1n : windowStart;
}
