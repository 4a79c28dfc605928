import { errors } from "../errors.ts";
import type { Interval, QueryPeers } from "../ports.ts";

/** What a conversation's id says: who its two users are, or which group it is. */
export type Conversation =
  | { readonly kind: "direct"; readonly userIds: readonly [string, string] }
  | { readonly kind: "group"; readonly groupId: string };

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const DIRECT = new RegExp(`^d_(${UUID})_(${UUID})$`);
const GROUP = new RegExp(`^g_(${UUID})$`);

/** Reads a conversation's id (`records/v1/record.proto`); undefined when it is none. */
export function parseConversationId(conversationId: string): Conversation | undefined {
  const [, first, second] = DIRECT.exec(conversationId) ?? [];
  if (first !== undefined && second !== undefined) {
    return first < second ? { kind: "direct", userIds: [first, second] } : undefined;
  }
  const [, groupId] = GROUP.exec(conversationId) ?? [];
  return groupId === undefined ? undefined : { kind: "group", groupId };
}

const WHOLE: readonly Interval[] = [{ fromSeq: 1n, toSeq: undefined }];

/** What a user may read of a conversation. Throws CONVERSATION_NOT_FOUND when that is nothing. */
export async function readableIntervals(
  peers: QueryPeers,
  conversationId: string,
  userId: string,
): Promise<readonly Interval[]> {
  const conversation = parseConversationId(conversationId);
  if (conversation === undefined) throw errors.conversationNotFound();
  if (conversation.kind === "direct") {
    if (!conversation.userIds.includes(userId)) throw errors.conversationNotFound();
    return WHOLE;
  }
  const intervals = await peers.intervals(conversation.groupId, userId);
  if (intervals.length === 0) throw errors.conversationNotFound();
  return intervals;
}
