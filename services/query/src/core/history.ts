import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Changes, Interval, Patience } from "../ports.ts";
import { asItStands, isChange, type Reader, standingOf } from "./fold.ts";
import { completeStretch, inOrder, readStretch } from "./merge.ts";
import { type End, type NewestSources, readLogged, readTail } from "./newest.ts";
import type { Stretch } from "./page.ts";
import { type HistorySources, rememberedPlace, unwrittenOf } from "./unwritten.ts";

/** All the tiers that a page may come from. */
export interface PageSources extends HistorySources, NewestSources {
  readonly patience: Patience;
}

/** Which records to read, ascending, and how far the conversation goes. */
export interface PageOf {
  readonly head: End;
  readonly stretches: readonly Stretch[];
}

/** A reader and what he may read. */
export function readerOf(userId: string, intervals: readonly Interval[]): Reader {
  const mayRead = (seq: bigint) =>
    intervals.some(({ fromSeq, toSeq }) => seq >= fromSeq && (toSeq === undefined || seq <= toSeq));
  return { userId, mayRead };
}

const NO_CHANGES: Changes = { states: [], reactions: [] };

/** Messages as they stand now; the records that made them so are left out. */
export async function readHistory(
  sources: PageSources,
  reader: Reader,
  conversationId: string,
  page: PageOf,
): Promise<LogRecord[]> {
  const fromSeq = page.stretches[0]?.fromSeq;
  if (fromSeq === undefined) return [];
  const { seq: toSeq } = page.head;
  // What changes a message comes after it: all from a message to the head tells how it stands.
  const alone = (records: readonly LogRecord[]) => stand(pick(page, records), reader, NO_CHANGES, records);
  const newest = await readTail(sources, conversationId, fromSeq, page.head);
  if (newest !== undefined) return alone(newest);
  const attempt = await sources.patience.attempt(() => readStored(sources, reader, conversationId, page));
  if (attempt.inTime) return attempt.value;
  const keep = keepFor(page.stretches);
  const logged = await readLogged(sources.log, conversationId, { fromSeq, toSeq, head: page.head }, keep);
  return logged === undefined ? attempt.whenThere() : alone(logged);
}

/** The log as it is. */
export async function readRaw(sources: PageSources, conversationId: string, page: PageOf): Promise<LogRecord[]> {
  const fromSeq = page.stretches[0]?.fromSeq;
  const toSeq = page.stretches.at(-1)?.toSeq;
  if (fromSeq === undefined || toSeq === undefined) return [];
  const newest = await readTail(sources, conversationId, fromSeq, page.head);
  if (newest !== undefined) return pick(page, newest);
  const attempt = await sources.patience.attempt(async () => {
    const parts = page.stretches.map((stretch) => readStretch(sources, conversationId, stretch));
    return (await Promise.all(parts)).flat();
  });
  if (attempt.inTime) return attempt.value;
  const keep = keepFor(page.stretches);
  const logged = await readLogged(sources.log, conversationId, { fromSeq, toSeq, head: page.head }, keep);
  return logged === undefined ? attempt.whenThere() : pick(page, logged);
}

function pick({ stretches }: PageOf, records: readonly LogRecord[]): LogRecord[] {
  const found = new Map(records.map((record) => [record.seq, record]));
  return stretches.flatMap((stretch) => inOrder(found, stretch));
}

/** By way of the store: it knows what has become of old messages without a reading of all that came after them. */
async function readStored(
  sources: HistorySources,
  reader: Reader,
  conversationId: string,
  page: PageOf,
): Promise<LogRecord[]> {
  const { stretches } = page;
  const [stored, { newest, changes }] = await Promise.all([
    Promise.all(stretches.map(({ fromSeq, toSeq }) => sources.store.range(conversationId, fromSeq, toSeq))),
    changesOf(sources, conversationId, page),
  ]);
  const parts = stretches.map((stretch, index) =>
    completeStretch(sources, conversationId, stretch, { stored: stored[index] ?? [], others: newest }),
  );
  return stand((await Promise.all(parts)).flat(), reader, changes, newest);
}

/**
 * What the store knows has become of a page's messages, and the records that it may lack. The store is asked after it is known what
 * it lacks: what is written between the two steps is seen twice, which does no harm; the other way round, never.
 */
async function changesOf(sources: HistorySources, conversationId: string, { head, stretches }: PageOf) {
  const seqs = stretches.flatMap(seqsOf);
  const known = () => sources.store.changes(conversationId, seqs);
  const early = rememberedPlace(sources, conversationId, head) === undefined ? undefined : known();
  const [unwritten, changes] = await Promise.all([
    unwrittenOf(sources, conversationId, head, keepFor(stretches)),
    early,
  ]);
  const { records: newest, remembered } = unwritten;
  return { newest, changes: changes !== undefined && remembered ? changes : await known() };
}

/** The page's own records and those that change them. */
function keepFor(stretches: readonly Stretch[]): (record: LogRecord) => boolean {
  const within = (seq: bigint) => stretches.some(({ fromSeq, toSeq }) => seq >= fromSeq && seq <= toSeq);
  return ({ seq, body }) => {
    if (within(seq)) return true;
    if (body.case !== "edit" && body.case !== "recall" && body.case !== "reaction") return false;
    return within(body.value.targetSeq);
  };
}

function seqsOf({ fromSeq, toSeq }: Stretch): bigint[] {
  return Array.from({ length: Number(toSeq - fromSeq) + 1 }, (_, index) => fromSeq + BigInt(index));
}

function stand(
  records: readonly LogRecord[],
  reader: Reader,
  stored: Changes,
  newest: readonly LogRecord[],
): LogRecord[] {
  const standing = standingOf(stored, newest);
  return records.filter((record) => !isChange(record)).map((record) => asItStands(record, standing, reader));
}
