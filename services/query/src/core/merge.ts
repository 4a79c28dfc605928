import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { PlacedRecord, RecordLog, RecordStore } from "../ports.ts";
import type { Stretch } from "./page.ts";

/** How many records are read from the log at once, and how often: what the writer may be behind in one conversation. */
export const LOG_PAGE = 256;
const LOG_PAGES = 64;
/** As many records at most are read from the log for one page. */
export const LOG_READ = BigInt(LOG_PAGE * LOG_PAGES);

/** Where records are read. */
export interface Sources {
  readonly store: RecordStore;
  readonly log: RecordLog;
}

/**
 * Reads a stretch whole: from the store, and from the log what the writer has not written yet. Since seqs are gapless a hole is
 * visible; it is filled or the call fails, it is never skipped.
 */
export async function readStretch(sources: Sources, conversationId: string, stretch: Stretch): Promise<LogRecord[]> {
  const stored = await sources.store.range(conversationId, stretch.fromSeq, stretch.toSeq);
  return completeStretch(sources, conversationId, stretch, { stored, others: [] });
}

/** Puts a stretch together from what the store gave and records from elsewhere, and fills from the log what is missing still. */
export async function completeStretch(
  sources: Sources,
  conversationId: string,
  stretch: Stretch,
  { stored, others }: { readonly stored: readonly PlacedRecord[]; readonly others: readonly LogRecord[] },
): Promise<LogRecord[]> {
  const found = new Map(others.map((record) => [record.seq, record]));
  for (const { record } of stored) found.set(record.seq, record);
  const hole = firstHole(found, stretch);
  if (hole !== undefined)
    await fillFromLog(sources, conversationId, { fromSeq: hole, toSeq: stretch.toSeq }, stored, found);
  return inOrder(found, stretch);
}

function firstHole(found: ReadonlyMap<bigint, unknown>, { fromSeq, toSeq }: Stretch): bigint | undefined {
  for (let seq = fromSeq; seq <= toSeq; seq++) if (!found.has(seq)) return seq;
  return undefined;
}

async function fillFromLog(
  { store, log }: Sources,
  conversationId: string,
  hole: Stretch,
  stored: readonly PlacedRecord[],
  found: Map<bigint, LogRecord>,
): Promise<void> {
  const near = stored.findLast(({ record }) => record.seq < hole.fromSeq)?.streamSequence;
  const after = near ?? (await store.streamSequenceBefore(conversationId, hole.fromSeq)) ?? 0;
  await eachLogged(log, conversationId, { afterSequence: after, toSeq: hole.toSeq }, (record) => {
    if (record.seq >= hole.fromSeq && record.seq <= hole.toSeq) found.set(record.seq, record);
  });
}

/** Gives the log's records that lie after a place in the stream, in order, up to a seq or a little further; not too many. */
export async function eachLogged(
  log: RecordLog,
  conversationId: string,
  { afterSequence, toSeq }: { readonly afterSequence: number; readonly toSeq: bigint },
  visit: (record: LogRecord) => void,
): Promise<void> {
  let next = afterSequence + 1;
  for (let page = 0; page < LOG_PAGES; page++) {
    const records = await log.from(conversationId, next, LOG_PAGE);
    for (const { record } of records) visit(record);
    const last = records.at(-1);
    if (last === undefined || last.record.seq >= toSeq || records.length < LOG_PAGE) return;
    next = last.streamSequence + 1;
  }
}

/** The records of a stretch; UNAVAILABLE when one is missing. */
export function inOrder(found: ReadonlyMap<bigint, LogRecord>, { fromSeq, toSeq }: Stretch): LogRecord[] {
  const records: LogRecord[] = [];
  for (let seq = fromSeq; seq <= toSeq; seq++) {
    const record = found.get(seq);
    if (record === undefined) throw shared.unavailable(`record ${seq} can't be read at the moment`);
    records.push(record);
  }
  return records;
}
