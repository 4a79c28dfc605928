import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { inTurns } from "@oceanchat/runtime/in-turns";
import { haveAll, indexTokenOf, type WordQuery, wordQueriesOf } from "@oceanchat/runtime/words";
import { errors } from "../errors.ts";
import type { FoundMessage, MessageQuery, SearchedConversation } from "../ports/search.ts";
import type { ListedConversation } from "../ports.ts";
import { intervalsOf, readableIntervals } from "./access.ts";
import { byActivity, groupCandidates } from "./activity.ts";
import type { ListSources } from "./conversations.ts";
import { headOf, headsOf } from "./heads.ts";
import { readerOf, readHistory } from "./history.ts";
import { wordsSaid } from "./said.ts";

/** More than a query of 128 characters holds. */
const WORDS_OF_QUERY = 128;
/** Words that the store compares; what it finds is compared with all of them. */
const WORDS_IN_STORE = 8;
/** A user's direct conversations that are searched, those with the latest activity. */
const DIRECT_SEARCHED = 10_000;
/** Conversations that are searched first, one by one, and at once after that. */
const FIRST = 16;
const AT_ONCE = 100;
/** Such searches beside each other, and conversations that are read beside each other. */
const SIDE_BY_SIDE = 4;
const READ_SIDE_BY_SIDE = 8;
/** A beginning without a token matches much: the last month is tried alone before all that was ever said. */
const RECENT_MS = 30 * 24 * 3_600_000;

/** What a user looks for. */
export interface SearchInit {
  readonly query: string;
  /** Only there; empty for all of the user's conversations. */
  readonly conversationId: string;
  readonly senderUserId: string;
  readonly fromMs: number;
  readonly toMs: number | undefined;
  readonly pageSize: number;
  readonly after: FoundMessage | undefined;
}

/** Messages, the newest first, and where the next page begins. */
export interface SearchPage {
  readonly records: LogRecord[];
  readonly next: FoundMessage | undefined;
}

/** Finds messages by their words, as far as the user may read them and as they stand for him now. */
export async function searchMessages(sources: ListSources, userId: string, init: SearchInit): Promise<SearchPage> {
  const words = wordQueriesOf(init.query, WORDS_OF_QUERY);
  if (words.length === 0) throw errors.nothingToSearch();
  const { senderUserId, fromMs, toMs, after, pageSize, conversationId } = init;
  const rarest = words.toSorted(byRarity).slice(0, WORDS_IN_STORE);
  const query = { words: rarest, senderUserId, fromMs, toMs, after, limit: pageSize + 1 };
  const found =
    conversationId === ""
      ? await findInAll(sources, userId, query)
      : await findInOne(sources, userId, conversationId, query);
  const page = found.slice(0, pageSize);
  const next = found.length > pageSize ? page.at(-1) : undefined;
  return { records: await asShown(sources, userId, page, words), next };
}

/**
 * What has a token in the index is looked up by it, best a long one: what it stands for is rarer. Of tokens of the same length that of
 * the longer word.
 */
function byRarity(a: WordQuery, b: WordQuery): number {
  return lengthInIndex(b) - lengthInIndex(a) || b.word.length - a.word.length || Number(a.prefix) - Number(b.prefix);
}

/** In characters that it has of a word. */
const lengthInIndex = (query: WordQuery): number => indexTokenOf(query)?.replace("^", "").length ?? 0;

async function findInOne(sources: ListSources, userId: string, conversationId: string, query: MessageQuery) {
  const intervals = await readableIntervals(sources.peers, conversationId, userId);
  const { lastTimeMs } = await headOf(sources, conversationId);
  return findRecentFirst(sources, [{ conversationId, intervals }], lastTimeMs, query);
}

/**
 * The newest of all conversations, which are asked in the order of their activity. Once there are enough, what is older than the
 * last of them isn't looked for, and a conversation where nothing has happened since isn't asked.
 */
async function findInAll(sources: ListSources, userId: string, query: MessageQuery): Promise<FoundMessage[]> {
  const [direct, groups] = await Promise.all([
    sources.store.directConversations(userId, undefined, DIRECT_SEARCHED),
    groupCandidates(sources, userId),
  ]);
  const all = [...direct.map((each) => ({ ...each, intervals: [{ fromSeq: 1n, toSeq: undefined }] })), ...groups];
  const candidates = all.filter(({ lastTimeMs }) => lastTimeMs >= query.fromMs).sort(byActivity);
  const first = candidates.slice(0, FIRST);
  let found = first[0] === undefined ? [] : await findRecentFirst(sources, first, first[0].lastTimeMs, query);
  await inTurns(partsOf(candidates.slice(FIRST)), SIDE_BY_SIDE, async (part) => {
    const floor = found[query.limit - 1]?.acceptedTimeMs ?? query.fromMs;
    const fromMs = Math.max(floor, query.fromMs);
    const active = part.filter(({ lastTimeMs }) => lastTimeMs >= fromMs);
    if (active.length === 0) return;
    const more = await sources.store.search(active, { ...query, fromMs });
    found = newestOf([...found, ...more], query.limit);
  });
  return found;
}

async function findRecentFirst(
  { store }: ListSources,
  conversations: readonly SearchedConversation[],
  lastTimeMs: number,
  query: MessageQuery,
): Promise<FoundMessage[]> {
  const { limit, after } = query;
  const recent = Math.min(lastTimeMs, after?.acceptedTimeMs ?? lastTimeMs) - RECENT_MS;
  const [rarest] = query.words;
  if (rarest !== undefined && indexTokenOf(rarest) === undefined && recent > query.fromMs) {
    const found = newestOf(await store.search(conversations, { ...query, fromMs: recent }), limit);
    if (found.length === limit) return found;
  }
  return newestOf(await store.search(conversations, query), limit);
}

function* partsOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let first = 0; first < items.length; first += AT_ONCE) yield items.slice(first, first + AT_ONCE);
}

/** The order of the answer: by time, the newest first; then by conversation and seq, so that pages neither overlap nor leave a gap. */
function newestOf(found: readonly FoundMessage[], limit: number): FoundMessage[] {
  const asListed = ({ conversationId, acceptedTimeMs: lastTimeMs }: FoundMessage): ListedConversation => ({
    conversationId,
    lastTimeMs,
  });
  const order = (a: FoundMessage, b: FoundMessage) =>
    byActivity(asListed(a), asListed(b)) || (a.seq < b.seq ? 1 : a.seq > b.seq ? -1 : 0);
  return found.toSorted(order).slice(0, limit);
}

/** The messages as the user sees them in the conversation; those left out that don't say it to him, or no longer. */
async function asShown(
  sources: ListSources,
  userId: string,
  page: readonly FoundMessage[],
  words: readonly WordQuery[],
): Promise<LogRecord[]> {
  const seqs = new Map<string, bigint[]>();
  for (const { conversationId, seq } of page) seqs.set(conversationId, [...(seqs.get(conversationId) ?? []), seq]);
  if (seqs.size === 0) return [];
  // The heads first: whoever is removed in between isn't shown what was said after his end.
  const headOf = await headsOf(sources, [...seqs.keys()], undefined);
  const shown = new Map<string, LogRecord>();
  await inTurns(seqs, READ_SIDE_BY_SIDE, async ([conversationId, found]) => {
    const head = headOf(conversationId);
    const member = readerOf(userId, await intervalsOf(sources.peers, conversationId, userId));
    // Nothing behind the head, no edit either: whether he is still a member there isn't known.
    const reader = { userId, mayRead: (seq: bigint) => seq <= head.seq && member.mayRead(seq) };
    const readable = found.filter(reader.mayRead).sort((a, b) => (a < b ? -1 : 1));
    const stretches = readable.map((seq) => ({ fromSeq: seq, toSeq: seq }));
    for (const record of await readHistory(sources, reader, conversationId, { head, stretches })) {
      if (says(record, words)) shown.set(`${conversationId}:${record.seq}`, record);
    }
  });
  return page.flatMap(({ conversationId, seq }) => shown.get(`${conversationId}:${seq}`) ?? []);
}

function says({ body, recalled }: LogRecord, words: readonly WordQuery[]): boolean {
  return body.case === "message" && !recalled && haveAll(wordsSaid(body.value.content), words);
}
