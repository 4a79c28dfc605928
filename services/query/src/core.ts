import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { parseConversationId, readableIntervals } from "./core/access.ts";
import { type ConversationInit, getConversation, type ListSources } from "./core/conversations.ts";
import { headOf } from "./core/heads.ts";
import { readerOf, readHistory, readRaw } from "./core/history.ts";
import { listConversations } from "./core/lists.ts";
import { choosePage, type PageRequest } from "./core/page.ts";
import { getReadReceipts, type ReceiptsInit } from "./core/receipts.ts";
import { StoredUpTo } from "./core/stored-up-to.ts";
import { errors } from "./errors.ts";
import type { ListPosition } from "./ports.ts";

/** About 1.5 MB. */
const CONVERSATIONS_REMEMBERED = 10_000;

/** A page of a conversation. */
export interface RecordPage {
  readonly records: LogRecord[];
  readonly headSeq: bigint;
  readonly hasMore: boolean;
  /** Which seqs it covers, also those that are left out; 0 and 0 when none. */
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
}

/** Reading, as far as a user may. */
export interface QueryCore {
  listRecords(
    userId: string,
    conversationId: string,
    request: PageRequest & { readonly raw: boolean },
  ): Promise<RecordPage>;
  listConversations(
    userId: string,
    request: { readonly pageSize: number; readonly after: ListPosition | undefined },
  ): Promise<{ readonly conversations: ConversationInit[]; readonly next: ListPosition | undefined }>;
  getConversation(userId: string, conversationId: string): Promise<ConversationInit>;
  getReadReceipts(userId: string, conversationId: string, seq: bigint): Promise<ReceiptsInit>;
}

/** Makes the rules of reading over the store, the log and the owners of memberships. */
export function createQueryCore(adapters: Omit<ListSources, "storedUpTo">): QueryCore {
  const sources = { ...adapters, storedUpTo: new StoredUpTo(CONVERSATIONS_REMEMBERED) };
  return {
    async listRecords(userId, conversationId, request) {
      if (request.afterSeq !== undefined && request.beforeSeq !== undefined) throw errors.bothDirections();
      if (parseConversationId(conversationId) === undefined) throw errors.conversationNotFound();
      // The head first: whoever is removed in between isn't shown what was said after his end.
      const head = await headOf(sources, conversationId);
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      const { stretches, hasMore } = choosePage(intervals, head.seq, request);
      const covered = { firstSeq: stretches[0]?.fromSeq ?? 0n, lastSeq: stretches.at(-1)?.toSeq ?? 0n };
      const records = request.raw
        ? await readRaw(sources, conversationId, { head, stretches })
        : await readHistory(sources, readerOf(userId, intervals), conversationId, { head, stretches });
      return { records, headSeq: head.seq, hasMore, ...covered };
    },
    listConversations: (userId, request) => listConversations(sources, userId, request),
    async getConversation(userId, conversationId) {
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      return getConversation(sources, userId, conversationId, intervals);
    },
    async getReadReceipts(userId, conversationId, seq) {
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      return getReadReceipts(sources, readerOf(userId, intervals), conversationId, seq);
    },
  };
}
