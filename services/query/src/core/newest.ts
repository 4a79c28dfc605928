import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { PlacedRecord, RecordLog, RecordTail } from "../ports.ts";
import type { KnownHead } from "./heads.ts";
import { LOG_PAGE, LOG_READ } from "./merge.ts";
import type { StoredPlace } from "./stored-up-to.ts";
import { readAfter } from "./unwritten.ts";

/** Records that the tail holds of a conversation at most. */
const TAIL_RECORDS = 100n;
/** Steps of the search for a place in the stream: enough for any stream, since every second step halves what is left. */
const STEPS = 100;

/** Where records are read without the store. */
export interface NewestSources {
  readonly tail: RecordTail;
  readonly log: RecordLog;
}

/** The end of a conversation: where it is, and the last record where that is at hand. */
export type End = Pick<KnownHead, "seq" | "streamSequence" | "inLog" | "record">;

/**
 * The records from a seq to the head, whole, from the tail and what the log has beyond it; undefined when they aren't there, or when
 * that is further back than the tail reaches.
 */
export async function readTail(
  { tail, log }: NewestSources,
  conversationId: string,
  fromSeq: bigint,
  head: End,
): Promise<LogRecord[] | undefined> {
  if (head.seq - fromSeq >= TAIL_RECORDS) return undefined;
  const held = gapless(await tail.from(conversationId, fromSeq), fromSeq, head.seq);
  const last = held.at(-1);
  if (last === undefined) return undefined;
  const records = held.map(({ record }) => record);
  const { seq } = last.record;
  if (seq === head.seq) return records;
  if (seq + 1n === head.seq && head.record !== undefined) return [...records, head.record];
  if (!head.inLog) return undefined;
  const place = { seq, streamSequence: last.streamSequence };
  const rest = await readAfter(log, conversationId, place, head.seq, () => true);
  return rest.whole ? [...records, ...rest.records] : undefined;
}

function gapless(held: readonly PlacedRecord[], fromSeq: bigint, toSeq: bigint): readonly PlacedRecord[] {
  let expected = fromSeq;
  for (const [index, { record }] of held.entries()) {
    if (record.seq !== expected || expected > toSeq) return held.slice(0, index);
    expected++;
  }
  return held;
}

/**
 * The records from one seq to another that are wanted, from the log alone; undefined when the log doesn't hold that stretch whole, or
 * when it is too long.
 */
export async function readLogged(
  log: RecordLog,
  conversationId: string,
  { fromSeq, toSeq, head }: { readonly fromSeq: bigint; readonly toSeq: bigint; readonly head: End },
  keep: (record: LogRecord) => boolean,
): Promise<LogRecord[] | undefined> {
  if (!head.inLog || toSeq - fromSeq > LOG_READ - BigInt(LOG_PAGE)) return undefined;
  const place = await placeBefore(log, conversationId, fromSeq, head);
  if (place === undefined) return undefined;
  const { records, whole } = await readAfter(log, conversationId, place, toSeq, keep);
  return whole ? records : undefined;
}

/**
 * A record of the log that lies a little before a seq, to read on from. The log can only be asked what follows a place, so the place
 * is guessed from how the conversation's records lie in the stream, and the guess narrowed down. Undefined when the log begins later.
 */
async function placeBefore(
  log: RecordLog,
  conversationId: string,
  seq: bigint,
  head: End,
): Promise<StoredPlace | undefined> {
  const [oldest] = await log.from(conversationId, 1, 1);
  if (oldest === undefined || oldest.record.seq > seq) return undefined;
  let low = placeOf(oldest);
  let high: StoredPlace = { seq: head.seq, streamSequence: head.streamSequence };
  for (let step = 0; step < STEPS && seq - low.seq > BigInt(LOG_PAGE); step++) {
    const guess = between(low, high, seq, step % 2 === 0);
    if (guess >= high.streamSequence) break;
    const [found] = await log.from(conversationId, guess, 1);
    if (found !== undefined && found.record.seq <= seq) low = placeOf(found);
    else high = { seq: found?.record.seq ?? head.seq, streamSequence: guess };
  }
  return { seq: low.seq - 1n, streamSequence: low.streamSequence - 1 };
}

/** Where to look next: in proportion, or in the middle. */
function between(low: StoredPlace, high: StoredPlace, seq: bigint, inProportion: boolean): number {
  const share = inProportion ? Number(seq - low.seq) / Math.max(1, Number(high.seq - low.seq)) : 0.5;
  return low.streamSequence + Math.max(1, Math.floor((high.streamSequence - low.streamSequence) * share));
}

const placeOf = ({ record, streamSequence }: PlacedRecord): StoredPlace => ({ seq: record.seq, streamSequence });
