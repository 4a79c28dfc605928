import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";
import type { Interval } from "../ports.ts";
import { parseConversationId, readableIntervals } from "./access.ts";
import type { ListSources } from "./conversations.ts";
import type { Reader } from "./fold.ts";
import { headOf, type KnownHead } from "./heads.ts";
import { readerOf, readHistory, readRaw } from "./history.ts";
import { choosePage, type PageRequest } from "./page.ts";

/** A membership that changes in the middle of each of so many readings is given up. */
const READINGS = 3;

/** A page of a conversation. */
export interface RecordPage {
  readonly records: LogRecord[];
  readonly headSeq: bigint;
  readonly hasMore: boolean;
  /** Which seqs it covers, also those that are left out; 0 and 0 when none. */
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
}

/** What is asked for: a page, as the log has it or as it stands. */
export type RecordsRequest = PageRequest & { readonly raw: boolean };

/** Gives a page of a conversation, as far as the user may read it. */
export async function listRecords(
  sources: ListSources,
  userId: string,
  conversationId: string,
  request: RecordsRequest,
): Promise<RecordPage> {
  if (request.afterSeq !== undefined && request.beforeSeq !== undefined) throw errors.bothDirections();
  if (parseConversationId(conversationId) === undefined) throw errors.conversationNotFound();
  // The head first: whoever is removed in between isn't shown what was said after his end.
  const head = await headOf(sources, conversationId);
  let intervals = await readableIntervals(sources.peers, conversationId, userId);
  for (let reading = 0; reading < READINGS; reading++) {
    const reader = watching(readerOf(userId, intervals), head);
    const page = await readPage(sources, reader, conversationId, { head, intervals, request });
    if (!reader.sawBeyond()) return page;
    // A change behind the head is shown: was he still a member?
    const now = await readableIntervals(sources.peers, conversationId, userId);
    if (isSame(intervals, now)) return page;
    intervals = now;
  }
  throw shared.unavailable("the membership changes at the moment");
}

async function readPage(
  sources: ListSources,
  reader: Reader,
  conversationId: string,
  { head, intervals, request }: { head: KnownHead; intervals: readonly Interval[]; request: RecordsRequest },
): Promise<RecordPage> {
  const { stretches, hasMore } = choosePage(intervals, head.seq, request);
  const covered = { firstSeq: stretches[0]?.fromSeq ?? 0n, lastSeq: stretches.at(-1)?.toSeq ?? 0n };
  const page = { head, stretches };
  const records = request.raw
    ? await readRaw(sources, conversationId, page)
    : await readHistory(sources, reader, conversationId, page);
  return { records, headSeq: head.seq, hasMore, ...covered };
}

/** Tells whether the reader was allowed anything behind the head, which is newer than what is known of his membership. */
function watching(reader: Reader, head: KnownHead): Reader & { sawBeyond(): boolean } {
  let beyond = false;
  return {
    userId: reader.userId,
    mayRead(seq) {
      const may = reader.mayRead(seq);
      if (may && seq > head.seq) beyond = true;
      return may;
    },
    sawBeyond: () => beyond,
  };
}

function isSame(some: readonly Interval[], others: readonly Interval[]): boolean {
  if (some.length !== others.length) return false;
  return some.every(({ fromSeq, toSeq }, index) => {
    const other = others[index];
    return other !== undefined && other.fromSeq === fromSeq && other.toSeq === toSeq;
  });
}
