import type { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import type { QueryCore } from "./core.ts";
import { errors } from "./errors.ts";
import type { ListPosition } from "./ports.ts";

/** The public door's methods. */
export const queryHandlers = (core: QueryCore): Handlers<typeof QueryService> => ({
  async listRecords({ conversationId, afterSeq, beforeSeq, limit, raw }, context) {
    const request = { afterSeq, beforeSeq, limit: pageSizeOf(limit), raw };
    return core.listRecords(callerOf(context).userId, conversationId, request);
  },
  async listConversations(request, context) {
    const { conversations, next } = await core.listConversations(callerOf(context).userId, {
      pageSize: pageSizeOf(request.pageSize),
      after: positionOf(request.pageToken),
    });
    return { conversations, nextPageToken: next === undefined ? "" : encodePageToken(next) };
  },
  async getConversation({ conversationId }, context) {
    return { conversation: await core.getConversation(callerOf(context).userId, conversationId) };
  },
  async getReadReceipts({ conversationId, seq }, context) {
    return core.getReadReceipts(callerOf(context).userId, conversationId, seq);
  },
});

const positionOf = (token: string): ListPosition | undefined =>
  decodePageToken(
    token,
    ({ lastTimeMs, conversationId }) =>
      typeof lastTimeMs === "number" && typeof conversationId === "string" ? { lastTimeMs, conversationId } : undefined,
    errors.invalidPageToken,
  );
