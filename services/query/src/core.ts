import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { readableIntervals } from "./core/access.ts";
import {
  type ConversationInit,
  getConversation,
  headOf,
  type ListSources,
  listConversations,
} from "./core/conversations.ts";
import { readStretch } from "./core/merge.ts";
import { choosePage, type PageRequest } from "./core/page.ts";
import { errors } from "./errors.ts";
import type { ListPosition } from "./ports.ts";

/** Reading, as far as a user may. */
export interface QueryCore {
  listRecords(
    userId: string,
    conversationId: string,
    request: PageRequest,
  ): Promise<{ readonly records: LogRecord[]; readonly headSeq: bigint; readonly hasMore: boolean }>;
  listConversations(
    userId: string,
    request: { readonly pageSize: number; readonly after: ListPosition | undefined },
  ): Promise<{ readonly conversations: ConversationInit[]; readonly next: ListPosition | undefined }>;
  getConversation(userId: string, conversationId: string): Promise<ConversationInit>;
}

/** Makes the rules of reading over the store, the log and the owners of memberships. */
export function createQueryCore(sources: ListSources): QueryCore {
  return {
    async listRecords(userId, conversationId, request) {
      if (request.afterSeq !== undefined && request.beforeSeq !== undefined) throw errors.bothDirections();
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      const { seq: headSeq } = await headOf(sources, conversationId);
      const { stretches, hasMore } = choosePage(intervals, headSeq, request);
      const parts = await Promise.all(stretches.map((stretch) => readStretch(sources, conversationId, stretch)));
      return { records: parts.flat(), headSeq, hasMore };
    },
    listConversations: (userId, request) => listConversations(sources, userId, request),
    async getConversation(userId, conversationId) {
      const intervals = await readableIntervals(sources.peers, conversationId, userId);
      return getConversation(sources, userId, conversationId, intervals);
    },
  };
}
