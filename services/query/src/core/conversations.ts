import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConversationSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import { errors } from "../errors.ts";
import type { Interval, QueryPeers, Settings } from "../ports.ts";
import { parseConversationId } from "./access.ts";
import { headsOf, type KnownHead } from "./heads.ts";
import { type PageSources, readerOf, readHistory } from "./history.ts";
import { readStretch } from "./merge.ts";
import { ownChanges, ownState } from "./own-changes.ts";
import { lastReadable } from "./page.ts";
import { stillReadable } from "./still-readable.ts";
import { type Unread, unreadOf } from "./unread.ts";

/** Conversations whose unread messages are counted at once. */
const AT_ONCE = 16;

export type ConversationInit = Exclude<MessageInitShape<typeof ConversationSchema>, { $typeName: string }>;

/** What conversations are described from. */
export interface ListSources extends PageSources {
  readonly peers: QueryPeers;
}

/** A conversation and what the user may read of it. */
export interface Candidate {
  readonly conversationId: string;
  /** Ascending; nothing of it when empty. */
  readonly intervals: readonly Interval[];
  /** True when the user is no longer a member: the head is then the last record that he may read. */
  readonly left?: boolean;
}

/**
 * Describes conversations as a user sees them, in the order given; the head of one in which nothing has happened is 0. A constant
 * number of requests, and a few small ones for each conversation with something unread. `ahead` names the logs, of conversations
 * and the user's own (`u_…`), which may hold more than the store, the store holding everything of all others; without it that is found out.
 */
export async function describeConversations(
  sources: ListSources,
  userId: string,
  candidates: readonly Candidate[],
  ahead?: ReadonlySet<string>,
): Promise<ConversationInit[]> {
  const ids = candidates.map(({ conversationId }) => conversationId);
  if (ids.length === 0) return [];
  const [headOf, newest] = await Promise.all([
    headsOf(sources, ids, ahead),
    ahead === undefined || ahead.has(`u_${userId}`) ? ownChanges(sources, userId) : [],
  ]);
  const [{ readSeqs, settings }, readable] = await Promise.all([
    ownState(sources.store, userId, ids, newest),
    stillReadable(sources.peers, userId, candidates),
  ]);
  const described: ConversationInit[] = [];
  await inTurns(readable.entries(), AT_ONCE, async ([index, candidate]) => {
    const { conversationId } = candidate;
    const head = headOf(conversationId);
    const readSeq = readSeqs.get(conversationId) ?? 0n;
    const mayBeAhead =
      ahead === undefined ? sources.storedUpTo.of(conversationId).seq < head.seq : ahead.has(conversationId);
    described[index] = conversationOf(userId, candidate, head, {
      readSeq,
      settings: settings.get(conversationId),
      ...(await contentsOf(sources, userId, candidate, { head, readSeq, ahead: mayBeAhead })),
    });
  });
  return described;
}

/** One of the user's conversations. */
export async function getConversation(
  sources: ListSources,
  userId: string,
  conversationId: string,
  intervals: readonly Interval[],
): Promise<ConversationInit> {
  const [conversation] = await describeConversations(sources, userId, [{ conversationId, intervals }]);
  if (conversation === undefined || conversation.headSeq === 0n) throw errors.conversationNotFound();
  return conversation;
}

interface Contents {
  readonly lastRecord: LogRecord | undefined;
  readonly unread: Unread;
}

async function contentsOf(
  sources: ListSources,
  userId: string,
  candidate: Candidate,
  { readSeq, ...known }: { readonly head: KnownHead; readonly readSeq: bigint; readonly ahead: boolean },
): Promise<Contents> {
  const { conversationId, intervals } = candidate;
  const toSeq = lastReadable(intervals, known.head.seq);
  // Of who left and came back only what was said since: what lies between was never his to read.
  const first = intervals.at(-1)?.fromSeq ?? 1n;
  const fromSeq = readSeq >= first ? readSeq + 1n : first;
  const [lastRecord, unread] = await Promise.all([
    lastRecordOf(sources, userId, candidate, known.head, toSeq),
    unreadOf(sources, { conversationId, userId, fromSeq, toSeq, ...known }),
  ]);
  return { lastRecord, unread };
}

function conversationOf(
  userId: string,
  { conversationId, intervals, left = false }: Candidate,
  head: KnownHead,
  { readSeq, settings, lastRecord, unread }: Contents & { readSeq: bigint; settings: Settings | undefined },
): ConversationInit {
  const parsed = parseConversationId(conversationId);
  const { pinned = false, mutedUntilMs = 0 } = settings ?? {};
  return {
    conversationId,
    peerUserId: parsed?.kind === "direct" ? (parsed.userIds.find((each) => each !== userId) ?? "") : "",
    groupId: parsed?.kind === "group" ? parsed.groupId : "",
    headSeq: left ? lastReadable(intervals, head.seq) : head.seq,
    unreadCount: unread.messages,
    unreadMentionCount: unread.mentions,
    readSeq,
    lastTime: timestampFromMs(head.lastTimeMs),
    settings: { pinned, ...(mutedUntilMs === 0 ? {} : { mutedUntil: timestampFromMs(mutedUntilMs) }) },
    firstSeq: intervals[0]?.fromSeq ?? 0n,
    left,
    ...(lastRecord === undefined ? {} : { lastRecord }),
  };
}

/** The last record that a user may read. Only what isn't the log's last can have been changed. */
async function lastRecordOf(
  sources: PageSources,
  userId: string,
  { conversationId, intervals }: Candidate,
  head: KnownHead,
  lastSeq: bigint,
): Promise<LogRecord | undefined> {
  if (lastSeq === 0n) return undefined;
  const stretch = { fromSeq: lastSeq, toSeq: lastSeq };
  if (lastSeq === head.seq) return head.record ?? (await readStretch(sources, conversationId, stretch))[0];
  const page = { head, stretches: [stretch] };
  return (await readHistory(sources, readerOf(userId, intervals), conversationId, page))[0];
}
