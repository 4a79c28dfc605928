import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConversationSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { errors } from "../errors.ts";
import type {
  Head,
  Interval,
  ListedConversation,
  ListPosition,
  QueryPeers,
  RecordStore,
  Unread,
  UnreadQuery,
} from "../ports.ts";
import { parseConversationId } from "./access.ts";
import type { Reader } from "./fold.ts";
import { type HistorySources, readerOf, readHistory } from "./history.ts";
import { readStretch } from "./merge.ts";
import { lastReadable } from "./page.ts";

/** Unread messages are counted up to this number; clients show 99+ or 999+ anyway. */
const UNREAD_COUNTED = 999;

export type ConversationInit = MessageInitShape<typeof ConversationSchema>;

/** What the list is made of. */
export interface ListSources extends HistorySources {
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
  const readSeqs = await readSeqsOf(
    sources,
    userId,
    page.map(({ conversationId }) => conversationId),
  );
  const conversations = await Promise.all(page.map((each) => describe(sources, userId, each, readSeqs)));
  return { conversations, next: candidates.length > pageSize ? last : undefined };
}

/** One of a user's conversations. */
export async function getConversation(
  sources: ListSources,
  userId: string,
  conversationId: string,
  intervals: readonly Interval[],
): Promise<ConversationInit> {
  const readSeqs = await readSeqsOf(sources, userId, [conversationId]);
  const conversation = await describe(sources, userId, { conversationId, lastTimeMs: 0, intervals }, readSeqs);
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

async function readSeqsOf({ store }: ListSources, userId: string, conversationIds: readonly string[]) {
  return conversationIds.length === 0 ? new Map<string, bigint>() : store.readSeqsOf(userId, conversationIds);
}

async function describe(
  sources: ListSources,
  userId: string,
  candidate: Candidate,
  readSeqs: ReadonlyMap<string, bigint>,
): Promise<ConversationInit> {
  const { conversationId, intervals } = candidate;
  const readSeq = readSeqs.get(conversationId) ?? 0n;
  const head = await headOf(sources, conversationId);
  const lastSeq = lastReadable(intervals, head.seq);
  const [records, unread] = await Promise.all([
    lastSeq === 0n ? [] : lastRecordOf(sources, readerOf(userId, intervals), conversationId, head.seq, lastSeq),
    unreadOf(sources.store, { conversationId, userId, limit: UNREAD_COUNTED, intervals, readSeq, toSeq: lastSeq }),
  ]);
  const [lastRecord] = records;
  const parsed = parseConversationId(conversationId);
  return {
    conversationId,
    peerUserId: parsed?.kind === "direct" ? (parsed.userIds.find((each) => each !== userId) ?? "") : "",
    groupId: parsed?.kind === "group" ? parsed.groupId : "",
    headSeq: head.seq,
    unreadCount: unread.messages,
    unreadMentionCount: unread.mentions,
    readSeq,
    lastTime: timestampFromMs(head.lastTimeMs),
    settings: {},
    ...(lastRecord === undefined ? {} : { lastRecord }),
  };
}

/** The last record that a user may read. Only what isn't the log's last can have been changed. */
async function lastRecordOf(
  sources: ListSources,
  reader: Reader,
  conversationId: string,
  headSeq: bigint,
  lastSeq: bigint,
): Promise<LogRecord[]> {
  const stretch = { fromSeq: lastSeq, toSeq: lastSeq };
  if (lastSeq === headSeq) return readStretch(sources, conversationId, stretch);
  return readHistory(sources, reader, conversationId, { headSeq, stretches: [stretch] });
}

async function unreadOf(
  store: RecordStore,
  { intervals, readSeq, ...query }: Omit<UnreadQuery, "fromSeq"> & Pick<Candidate, "intervals"> & { readSeq: bigint },
): Promise<Unread> {
  const first = intervals[0]?.fromSeq ?? 1n;
  const fromSeq = readSeq >= first ? readSeq + 1n : first;
  return fromSeq > query.toSeq ? { messages: 0, mentions: 0 } : store.countUnread({ ...query, fromSeq });
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
