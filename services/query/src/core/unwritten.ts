import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { RecordLog } from "../ports.ts";
import type { KnownHead } from "./heads.ts";
import { eachLogged, type Sources } from "./merge.ts";
import type { StoredPlace, StoredUpTo } from "./stored-up-to.ts";

/**
 * How far before the head holes are looked for. Several writers may store one conversation's records out of order, each a batch at
 * a time; further back everything up to the store's head is taken as stored.
 */
const HOLES_WITHIN = 500n;
/** As many records are rather read from the log than looked for in the store. */
const READ_ANYWAY = 64n;

/** Where records are read, and what is known of the store. */
export interface HistorySources extends Sources {
  readonly storedUpTo: StoredUpTo;
}

/** The place of a log's head. */
export type HeadPlace = Pick<KnownHead, "seq" | "streamSequence" | "inLog">;

/** What the store may lack of a conversation: every record after `afterSeq`. */
export interface Unwritten {
  readonly afterSeq: bigint;
  /** Those that were asked for, in order. */
  readonly records: readonly LogRecord[];
  /** True when the store was not asked: then all before `afterSeq` was stored when this was called. */
  readonly remembered: boolean;
}

/**
 * Up to where a conversation is certainly stored, as far as that is known without asking; undefined when the store must be asked.
 * It writes what a record changes before the record, so up to there every change has had its effect too.
 */
export function rememberedPlace(
  { storedUpTo }: HistorySources,
  conversationId: string,
  head: HeadPlace,
): StoredPlace | undefined {
  const known = storedUpTo.of(conversationId);
  if (known.seq >= head.seq) return known;
  return head.inLog && known.seq > 0n && head.seq - known.seq <= READ_ANYWAY ? known : undefined;
}

/** Asks the store up to where it holds a conversation without a hole, and whether it holds the head, holes or not. */
export async function storedPlace(
  { store, storedUpTo }: HistorySources,
  conversationId: string,
  { seq: headSeq, streamSequence }: HeadPlace,
): Promise<StoredPlace & { readonly headStored: boolean }> {
  const known = storedUpTo.of(conversationId);
  if (known.seq >= headSeq) return { ...known, headStored: true };
  const windowStart = known.seq + HOLES_WITHIN > headSeq ? known.seq + 1n : headSeq - HOLES_WITHIN + 1n;
  const stored = await store.storedSeqs(conversationId, windowStart, headSeq);
  const firstHole = holeIn(stored, windowStart, headSeq);
  if (firstHole === undefined) {
    storedUpTo.raise(conversationId, { seq: headSeq, streamSequence });
    return { seq: headSeq, streamSequence, headStored: true };
  }
  const missing = stored.length > 0 ? firstHole : await afterStoreHead({ store }, conversationId, windowStart);
  const before = (await store.streamSequenceBefore(conversationId, missing)) ?? 0;
  const place = { seq: missing - 1n, streamSequence: before };
  if (stored.length > 0) storedUpTo.raise(conversationId, place);
  return { ...place, headStored: stored.at(-1) === headSeq };
}

/** Reads from the log what may not be stored. Throws UNAVAILABLE when the newest records are nowhere. */
export async function unwrittenOf(
  sources: HistorySources,
  conversationId: string,
  head: HeadPlace,
  keep: (record: LogRecord) => boolean,
): Promise<Unwritten> {
  const remembered = rememberedPlace(sources, conversationId, head);
  if (remembered !== undefined) {
    const { records, whole } = await readAfter(sources.log, conversationId, remembered, head.seq, keep);
    if (whole) return { afterSeq: remembered.seq, records, remembered: true };
  }
  const place = await storedPlace(sources, conversationId, head);
  const { records, whole } = await readAfter(sources.log, conversationId, place, head.seq, keep);
  if (whole) return { afterSeq: place.seq, records, remembered: false };
  // A hole that the log can't fill any more stays one, whoever asks; what lies beyond it can be read.
  if (place.headStored) return { afterSeq: head.seq, records, remembered: false };
  throw shared.unavailable("the newest records can't be read at the moment");
}

/** The records of the log after a place, up to the head, and whether not one of them is missing. */
export async function readAfter(
  log: RecordLog,
  conversationId: string,
  place: StoredPlace,
  headSeq: bigint,
  keep: (record: LogRecord) => boolean,
): Promise<{ readonly records: LogRecord[]; readonly whole: boolean }> {
  const records: LogRecord[] = [];
  if (place.seq >= headSeq) return { records, whole: true };
  let expected = place.seq + 1n;
  await eachLogged(log, conversationId, { afterSequence: place.streamSequence, toSeq: headSeq }, (record) => {
    if (record.seq <= place.seq || record.seq > headSeq) return;
    if (record.seq === expected) expected++;
    if (keep(record)) records.push(record);
  });
  return { records, whole: expected > headSeq };
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
async function afterStoreHead({ store }: Pick<Sources, "store">, conversationId: string, windowStart: bigint) {
  const head = (await store.heads([conversationId])).get(conversationId)?.seq ?? 0n;
  return head + 1n < windowStart ? head + 1n : windowStart;
}
