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
  const intervals = await intervalsOf(peers, conversationId, userId);
  if (intervals.length === 0) throw errors.conversationNotFound();
  return intervals;
}

/** What a user may read of a conversation; empty when that is nothing. */
export async function intervalsOf(
  peers: QueryPeers,
  conversationId: string,
  userId: string,
): Promise<readonly Interval[]> {
  const conversation = parseConversationId(conversationId);
  if (conversation === undefined) return [];
  if (conversation.kind === "group") return peers.intervals(conversation.groupId, userId);
  return conversation.userIds.includes(userId) ? WHOLE : [];
}
