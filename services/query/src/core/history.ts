import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Interval } from "../ports.ts";
import { asItStands, isChange, type Reader, standingOf } from "./fold.ts";
import { readStretch } from "./merge.ts";
import type { Stretch } from "./page.ts";
import { type HeadPlace, type HistorySources, unwrittenOf } from "./unwritten.ts";

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
  { head, stretches }: { readonly head: HeadPlace; readonly stretches: readonly Stretch[] },
): Promise<LogRecord[]> {
  const parts = await Promise.all(stretches.map((stretch) => readStretch(sources, conversationId, stretch)));
  const records = parts.flat().filter((record) => !isChange(record));
  const seqs = records.flatMap(({ seq, body }) => (body.case === "message" ? [seq] : []));
  if (seqs.length === 0) return records;
  // In this order: what is written between the two steps is seen twice, which does no harm; the other way round, never.
  const targets = new Set(seqs);
  const newest = await unwrittenOf(sources, conversationId, head, (record) => changes(record, targets));
  const standing = standingOf(await sources.store.changes(conversationId, seqs), newest.records);
  return records.map((record) => asItStands(record, standing, reader));
}

function changes({ body }: LogRecord, targets: ReadonlySet<bigint>): boolean {
  if (body.case !== "edit" && body.case !== "recall" && body.case !== "reaction") return false;
  return targets.has(body.value.targetSeq);
}
