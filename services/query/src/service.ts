import type { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { callerOf, type Handlers } from "@oceanchat/runtime/handlers";
import type { QueryCore } from "./core.ts";
import { errors } from "./errors.ts";
import type { ListPosition } from "./ports.ts";

const DEFAULT_PAGE = 50;
const LARGEST_PAGE = 200;

/** The public door's methods. */
export const queryHandlers = (core: QueryCore): Handlers<typeof QueryService> => ({
  async listRecords({ conversationId, afterSeq, beforeSeq, limit, raw }, context) {
    const request = { afterSeq, beforeSeq, limit: pageSize(limit), raw };
    return core.listRecords(callerOf(context).userId, conversationId, request);
  },
  async listConversations(request, context) {
    const { conversations, next } = await core.listConversations(callerOf(context).userId, {
      pageSize: pageSize(request.pageSize),
      after: positionOf(request.pageToken),
    });
    return { conversations, nextPageToken: next === undefined ? "" : tokenOf(next) };
  },
  async getConversation({ conversationId }, context) {
    return { conversation: await core.getConversation(callerOf(context).userId, conversationId) };
  },
  async getReadReceipts({ conversationId, seq }, context) {
    return core.getReadReceipts(callerOf(context).userId, conversationId, seq);
  },
});

function pageSize(asked: number): number {
  return asked === 0 ? DEFAULT_PAGE : Math.min(asked, LARGEST_PAGE);
}

function tokenOf({ lastTimeMs, conversationId }: ListPosition): string {
  return Buffer.from(JSON.stringify([lastTimeMs, conversationId])).toString("base64url");
}

function positionOf(token: string): ListPosition | undefined {
  if (token === "") return undefined;
  try {
    const [lastTimeMs, conversationId]: unknown[] = JSON.parse(Buffer.from(token, "base64url").toString());
    if (typeof lastTimeMs === "number" && typeof conversationId === "string") return { lastTimeMs, conversationId };
  } catch {
    // not JSON: the same answer as for other nonsense
  }
  throw errors.invalidPageToken();
}
