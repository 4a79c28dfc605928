import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConversationSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { errors } from "../errors.ts";
import type { Head, Interval, ListedConversation, ListPosition, QueryPeers, RecordLog, RecordStore } from "../ports.ts";
import { parseConversationId } from "./access.ts";
import { readStretch } from "./merge.ts";
import { lastReadable } from "./page.ts";

/** Unread messages are counted up to this number; clients show 99+ or 999+ anyway. */
const UNREAD_COUNTED = 999;

export type ConversationInit = MessageInitShape<typeof ConversationSchema>;

/** What the list is made of. */
export interface ListSources {
  readonly store: RecordStore;
  readonly log: RecordLog;
  readonly peers: QueryPeers;
}

/** A conversation with what the user may read of it. */
interface Candidate extends ListedConversation {
  readonly intervals: readonly Interval[];
}

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
  const candidates: Candidate[] = [
    ...direct.map((each) => ({ ...each, intervals: [{ fromSeq: 1n, toSeq: undefined }] })),
    ...groups.filter((each) => after === undefined || byActivity(after, each) < 0),
  ];
  candidates.sort(byActivity);
  const page = candidates.slice(0, pageSize);
  const last = page.at(-1);
  const conversations = await Promise.all(page.map((each) => describe(sources, userId, each)));
  return { conversations, next: candidates.length > pageSize ? last : undefined };
}

/** One of a user's conversations. */
export async function getConversation(
  sources: ListSources,
  userId: string,
  conversationId: string,
  intervals: readonly Interval[],
): Promise<ConversationInit> {
  const conversation = await describe(sources, userId, { conversationId, lastTimeMs: 0, intervals });
  if (conversation.headSeq === 0n) throw errors.conversationNotFound();
  return conversation;
}

/** Groups are few for a user and their members are the group service's: their heads are read and sorted here. */
async function groupCandidates({ store, peers }: ListSources, userId: string): Promise<Candidate[]> {
  const groups = await peers.groupsOf(userId);
  const ids = groups.map(({ groupId }) => `g_${groupId}`);
  const heads = ids.length === 0 ? new Map<string, Head>() : await store.heads(ids);
  return groups.map(({ groupId, fromSeq }) => {
    const conversationId = `g_${groupId}`;
    const lastTimeMs = heads.get(conversationId)?.lastTimeMs ?? 0;
    return { conversationId, lastTimeMs, intervals: [{ fromSeq, toSeq: undefined }] };
  });
}

/** The latest first; the id decides between equals, so that pages neither overlap nor leave a gap. */
function byActivity(a: ListedConversation, b: ListedConversation): number {
  if (a.lastTimeMs !== b.lastTimeMs) return b.lastTimeMs - a.lastTimeMs;
  return a.conversationId < b.conversationId ? 1 : a.conversationId > b.conversationId ? -1 : 0;
}

async function describe(sources: ListSources, userId: string, candidate: Candidate): Promise<ConversationInit> {
  const { conversationId, intervals } = candidate;
  const head = await headOf(sources, conversationId);
  const lastSeq = lastReadable(intervals, head.seq);
  const fromSeq = intervals[0]?.fromSeq ?? 1n;
  const [records, unreadCount] = await Promise.all([
    lastSeq === 0n ? [] : readStretch(sources, conversationId, { fromSeq: lastSeq, toSeq: lastSeq }),
    sources.store.countMessagesOfOthers({ conversationId, userId, fromSeq, toSeq: lastSeq, limit: UNREAD_COUNTED }),
  ]);
  const [lastRecord] = records;
  const parsed = parseConversationId(conversationId);
  return {
    conversationId,
    peerUserId: parsed?.kind === "direct" ? (parsed.userIds.find((each) => each !== userId) ?? "") : "",
    groupId: parsed?.kind === "group" ? parsed.groupId : "",
    headSeq: head.seq,
    unreadCount,
    lastTime: timestampFromMs(head.lastTimeMs),
    settings: {},
    ...(lastRecord === undefined ? {} : { lastRecord }),
  };
}

/** The head as the log knows it; as the store does when the log holds nothing of the conversation any more. */
export async function headOf(
  { store, log }: Pick<ListSources, "store" | "log">,
  conversationId: string,
): Promise<Head> {
  const last = await log.last(conversationId);
  if (last !== undefined) {
    const seconds = last.record.acceptedTime?.seconds ?? 0n;
    const nanos = last.record.acceptedTime?.nanos ?? 0;
    return { seq: last.record.seq, lastTimeMs: Number(seconds) * 1000 + Math.floor(nanos / 1e6) };
  }
  return (await store.heads([conversationId])).get(conversationId) ?? { seq: 0n, lastTimeMs: 0 };
}
