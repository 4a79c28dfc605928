import type { ListedConversation } from "../ports.ts";
import type { Candidate, ListSources } from "./conversations.ts";

/** A conversation in a list by activity, with what the user may read of it. */
export type ListedCandidate = ListedConversation & Candidate;

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
