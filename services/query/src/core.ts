import { readableIntervals } from "./core/access.ts";
import {
  type Candidate,
  type ConversationInit,
  describeConversations,
  getConversation,
  type ListSources,
} from "./core/conversations.ts";
import { readerOf } from "./core/history.ts";
import { getReadReceipts, type ReceiptsInit } from "./core/receipts.ts";
import { listRecords, type RecordPage, type RecordsRequest } from "./core/records.ts";
import { type SearchInit, type SearchPage, searchMessages } from "./core/search.ts";
import { StoredUpTo } from "./core/stored-up-to.ts";

/** About 1.5 MB. */
const CONVERSATIONS_REMEMBERED = 10_000;

/** Reading, as far as a user may. */
export interface QueryCore {
  listRecords(userId: string, conversationId: string, request: RecordsRequest): Promise<RecordPage>;
  getConversation(userId: string, conversationId: string): Promise<ConversationInit>;
  /** Conversations that the caller has found to be the user's, in the same order. */
  describe(
    userId: string,
    candidates: readonly Candidate[],
    ahead: ReadonlySet<string>,
  ): Promise<readonly ConversationInit[]>;
  getReadReceipts(userId: string, conversationId: string, seq: bigint): Promise<ReceiptsInit>;
  search(userId: string, init: SearchInit): Promise<SearchPage>;
}

/** Makes the rules of reading over the store, the log and the owners of memberships. */
export function createQueryCore(adapters: Omit<ListSources, "storedUpTo">): QueryCore {
  const sources = { ...adapters, storedUpTo: new StoredUpTo(CONVERSATIONS_REMEMBERED) };
  return {
    listRecords: (userId, conversationId, request) => listRecords(sources, userId, conversationId, request),
    async getConversation(userId, conversationId) {
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      return getConversation(sources, userId, conversationId, intervals);
    },
    describe: (userId, candidates, ahead) => describeConversations(sources, userId, candidates, ahead),
    search: (userId, init) => searchMessages(sources, userId, init),
    async getReadReceipts(userId, conversationId, seq) {
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      return getReadReceipts(sources, readerOf(userId, intervals), conversationId, seq);
    },
  };
}
