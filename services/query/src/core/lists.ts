import type { ListedConversation, ListPosition } from "../ports.ts";
import { type Candidate, type ConversationInit, describeConversations, type ListSources } from "./conversations.ts";

/** A conversation in the list, with what the user may read of it. */
type ListedCandidate = ListedConversation & Candidate;

/** A page of a user's conversations, the latest activity first. */
export async function listConversations(
  sources: ListSources,
  userId: string,
  request: { readonly pageSize: number; readonly after: ListPosition | undefined },
): Promise<{ readonly conversations: ConversationInit[]; readonly next: ListPosition | undefined }> {
  const { pageSize, after } = request;
  const [direct, groups] = await Promise.all([
    sources.store.directConversations(userId, after, pageSize + 1),
    groupCandidates(sources, userId),
  ]);
  const candidates: ListedCandidate[] = [
    ...direct.map((each) => ({ ...each, intervals: [{ fromSeq: 1n, toSeq: undefined }] })),
    ...groups.filter((each) => after === undefined || byActivity(after, each) < 0),
  ];
  candidates.sort(byActivity);
  const page = candidates.slice(0, pageSize);
  const conversations = await describeConversations(sources, userId, page);
  const last = candidates.length > pageSize ? page.at(-1) : undefined;
  return { conversations, next: last && { lastTimeMs: last.lastTimeMs, conversationId: last.conversationId } };
}

/** Groups are few for a user and their members are the group service's: their heads are read and sorted here. */
export async function groupCandidates({ store, peers }: ListSources, userId: string): Promise<ListedCandidate[]> {
  const groups = await peers.groupsOf(userId);
  const ids = groups.map(({ groupId }) => `g_${groupId}`);
  const lastTimes = ids.length === 0 ? new Map<string, number>() : await store.lastTimesOf(ids);
  return groups.map(({ groupId, fromSeq }) => {
    const conversationId = `g_${groupId}`;
    const lastTimeMs = lastTimes.get(conversationId) ?? 0;
    return { conversationId, lastTimeMs, intervals: [{ fromSeq, toSeq: undefined }] };
  });
}

/** The latest first; the id decides between equals, so that pages neither overlap nor leave a gap. */
export function byActivity(a: ListedConversation, b: ListedConversation): number {
  if (a.lastTimeMs !== b.lastTimeMs) return b.lastTimeMs - a.lastTimeMs;
  return a.conversationId < b.conversationId ? 1 : a.conversationId > b.conversationId ? -1 : 0;
}
