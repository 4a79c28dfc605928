import { ArchiveConflictError } from "../errors.ts";
import type { ArchivableRecord, ArchiveBlock, ArchiveProgress, ArchiveStore } from "../ports.ts";

/** How records are moved. */
export interface ArchiveRules {
  /** The fewest records of a block: what is left of a conversation stays where it is. */
  readonly minRecords: number;
  /** The most records of a block. */
  readonly maxRecords: number;
  /** The most bytes of a block's records, before they are compressed; one record may be more. */
  readonly maxBytes: number;
  /** How long records stay after they are copied, in milliseconds: longer than any call that may have looked before takes. */
  readonly trimAfterMs: number;
  /** How many conversations are looked at together. */
  readonly page: number;
}

/** What a block of 1000 short messages is: some 200 KB, and 40 KB compressed. */
export const ARCHIVE_RULES: ArchiveRules = {
  minRecords: 100,
  maxRecords: 1000,
  maxBytes: 1024 * 1024,
  trimAfterMs: 60_000,
  page: 500,
};

/** Records that are removed together. */
const TRIMMED_AT_ONCE = 2000n;

/** What to move, and for how long. */
export interface ArchiveRequest {
  /** Only records that were accepted before, in milliseconds since the epoch. */
  readonly before: number;
  /** Only of this conversation; undefined: of all. */
  readonly conversationId: string | undefined;
  /** Where an earlier run has stopped; undefined: from the beginning. */
  readonly after: string | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Asked between blocks: true ends the run. */
  isOver(): boolean;
  /** Told of a conversation that is left as it is. */
  onConflict(error: ArchiveConflictError): void;
  /** Waits a moment between blocks, so that live writes aren't disturbed. */
  pause(): Promise<void>;
}

/** What a run has moved. */
export interface ArchiveReport {
  conversations: number;
  blocks: number;
  records: number;
  bytesBefore: number;
  bytesAfter: number;
  /** Where to go on: behind this conversation, empty for the beginning; undefined when everything was looked at. */
  next: string | undefined;
}

/**
 * Copies old records into blocks and removes, later, what was copied. Every step may be repeated, and another run may do the same
 * at the same time: blocks are named by where they begin, and what is removed lies in a block that was read back.
 */
export async function archive(
  store: ArchiveStore,
  rules: ArchiveRules,
  request: ArchiveRequest,
): Promise<ArchiveReport> {
  const report: ArchiveReport = {
    conversations: 0,
    blocks: 0,
    records: 0,
    bytesBefore: 0,
    bytesAfter: 0,
    next: undefined,
  };
  if (request.conversationId !== undefined) {
    const progress = await store.progressOf(request.conversationId);
    const done = progress === undefined || (await archiveConversation(store, rules, request, progress, report));
    return done ? report : { ...report, next: request.after ?? "" };
  }
  for (let after = request.after; ; ) {
    const page = await store.progressAfter(after, rules.page);
    for (const progress of page) {
      const done = !request.isOver() && (await archiveNext(store, rules, request, progress, report));
      if (!done) return { ...report, next: after ?? "" };
      after = progress.conversationId;
    }
    if (page.length < rules.page) return report;
  }
}

/** Like `archiveConversation`; a conversation whose archive contradicts itself doesn't keep the others from theirs. */
async function archiveNext(...[store, rules, request, progress, report]: Parameters<typeof archiveConversation>) {
  try {
    return await archiveConversation(store, rules, request, progress, report);
  } catch (error) {
    if (!(error instanceof ArchiveConflictError)) throw error;
    request.onConflict(error);
    return true;
  }
}

/** False when the run is over before the conversation is done. */
async function archiveConversation(
  store: ArchiveStore,
  rules: ArchiveRules,
  request: ArchiveRequest,
  progress: ArchiveProgress,
  report: ArchiveReport,
): Promise<boolean> {
  report.conversations++;
  await trim(store, rules, request, progress);
  let { archivedSeq } = progress;
  while (progress.headSeq - archivedSeq >= BigInt(rules.minRecords)) {
    const block = await nextBlock(store, rules, request, progress.conversationId, archivedSeq);
    if (block === undefined) return true;
    const { bytes, toSeq } = await store.putBlock(block);
    archivedSeq = toSeq;
    await store.markArchived(block.conversationId, archivedSeq, new Date(request.now()));
    report.blocks++;
    report.records += block.records.length;
    report.bytesBefore += block.records.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    report.bytesAfter += bytes;
    if (request.isOver()) return false;
    await request.pause();
  }
  return true;
}

/** Removes what was copied long enough ago. */
async function trim(
  store: ArchiveStore,
  { trimAfterMs }: ArchiveRules,
  request: ArchiveRequest,
  { conversationId, archivedSeq, archivedTime, trimmedSeq }: ArchiveProgress,
): Promise<void> {
  if (trimmedSeq >= archivedSeq || request.now() - (archivedTime?.getTime() ?? 0) < trimAfterMs) return;
  const covered = await store.blocksEnd(conversationId);
  // The mark says more than the blocks hold: nothing is removed that lies nowhere else.
  if (covered < archivedSeq) {
    throw new ArchiveConflictError(`the archive of ${conversationId} ends at ${covered}, not ${archivedSeq}`);
  }
  for (let done = trimmedSeq; done < archivedSeq; done += TRIMMED_AT_ONCE) {
    const end = done + TRIMMED_AT_ONCE;
    await store.trim(conversationId, done, end < archivedSeq ? end : archivedSeq);
  }
}

/** The next block of a conversation; undefined when too little is old enough. */
async function nextBlock(
  store: ArchiveStore,
  { minRecords, maxRecords, maxBytes }: ArchiveRules,
  { before }: ArchiveRequest,
  conversationId: string,
  archivedSeq: bigint,
): Promise<ArchiveBlock | undefined> {
  // One look at one record spares reading a conversation that is too young, which most are.
  const last = await store.acceptedTimeOf(conversationId, archivedSeq + BigInt(minRecords));
  if (last === undefined || last.getTime() >= before) return undefined;
  const found = await store.recordsAfter(conversationId, archivedSeq, maxRecords);
  const records: ArchivableRecord[] = [];
  let size = 0;
  for (const record of found) {
    const inOrder = record.seq === archivedSeq + BigInt(records.length) + 1n;
    if (!inOrder || record.acceptedTime.getTime() >= before) break;
    size += record.record.length;
    if (records.length > 0 && size > maxBytes) break;
    records.push(record);
  }
  const full = records.length === maxRecords || size > maxBytes;
  return full || records.length >= minRecords ? { conversationId, records } : undefined;
}
