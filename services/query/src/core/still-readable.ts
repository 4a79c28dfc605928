import type { Interval, QueryPeers } from "../ports.ts";
import { parseConversationId } from "./access.ts";

/** Up to so many groups are asked for one by one, more by the user's whole list. */
const ONE_BY_ONE = 2;

interface Readable {
  readonly conversationId: string;
  readonly intervals: readonly Interval[];
}

/**
 * What may still be read, asked behind the heads: whoever was removed after his memberships and before the heads were read isn't
 * shown what was said after his end. One question more for all, and one for each group that he has left just then.
 */
export async function stillReadable<C extends Readable>(
  peers: QueryPeers,
  userId: string,
  candidates: readonly C[],
): Promise<C[]> {
  const open = candidates.flatMap(openGroupOf);
  const lasting =
    open.length > ONE_BY_ONE
      ? new Map((await peers.groupsOf(userId)).map(({ groupId, fromSeq }) => [groupId, fromSeq]))
      : undefined;
  const changed = new Map<string, readonly Interval[]>();
  for (const { conversationId, groupId, fromSeq } of open) {
    if (lasting?.get(groupId) === fromSeq) continue;
    const now = await peers.intervals(groupId, userId);
    const last = now.at(-1);
    const isSame = last !== undefined && last.fromSeq === fromSeq && last.toSeq === undefined;
    if (!isSame) changed.set(conversationId, now);
  }
  return candidates.map((each) => ({ ...each, intervals: changed.get(each.conversationId) ?? each.intervals }));
}

/** The group of a membership that lasts, and where it began. */
function openGroupOf({ conversationId, intervals }: Readable) {
  const conversation = parseConversationId(conversationId);
  const last = intervals.at(-1);
  if (conversation?.kind !== "group" || last === undefined || last.toSeq !== undefined) return [];
  return [{ conversationId, groupId: conversation.groupId, fromSeq: last.fromSeq }];
}
