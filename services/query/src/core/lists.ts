import type { Membership, MembershipPeers, MoveStore, RecentLogs, RecentView } from "../ports/moves.ts";
import type { ListedConversation, RecordLog, RecordStore } from "../ports.ts";
import { byActivity, type ListedCandidate } from "./activity.ts";
import type { Candidate, ConversationInit } from "./conversations.ts";
import { timeOf } from "./heads.ts";
import type { ListPlace } from "./list-place.ts";
import { byPlace, chooseMovers, type Mover } from "./sync/choose.ts";
import { findMovers } from "./sync/movers.ts";

/** What the list is made of. */
export interface ListingSources {
  readonly store: Pick<RecordStore, "directConversations" | "lastTimesOf">;
  readonly log: Pick<RecordLog, "lastOf">;
  readonly peers: MembershipPeers;
  readonly moves: MoveStore;
  readonly recent: RecentLogs;
  /** Conversations as the user sees them, in the same order; `ahead` are those logs of which the store may not have everything. */
  describe(
    userId: string,
    candidates: readonly Candidate[],
    ahead: ReadonlySet<string>,
  ): Promise<readonly ConversationInit[]>;
}

/** What is asked for. */
export interface ListRequest {
  readonly pageSize: number;
  /** Undefined for the first page. */
  readonly after: ListPlace | undefined;
}

/** A page, and where the next one begins; undefined at the end. */
export interface ListPage {
  readonly conversations: ConversationInit[];
  readonly next: ListPlace | undefined;
}

const WHOLE = [{ fromSeq: 1n, toSeq: undefined }];

/**
 * A page of a user's conversations, the latest activity first. A conversation that moves up between two pages would be missed:
 * behind the last one come those that have moved since the first page, some of them for the second time.
 */
export async function listConversations(
  sources: ListingSources,
  userId: string,
  { pageSize, after }: ListRequest,
): Promise<ListPage> {
  const [view, memberships] = await Promise.all([
    sources.recent.caughtUp(),
    sources.peers.memberships(userId, undefined),
  ]);
  const query = { userId, memberships, pageSize };
  const place = after?.createdMs === view.end.createdMs ? after : beginning(view, memberships, userId);
  const { page, next } = await choose(sources, view, place, query);
  const ids = page.map(({ conversationId }) => conversationId);
  const ahead = new Set(view.aheadOf([...ids, `u_${userId}`]).keys());
  const described = await sources.describe(userId, page, ahead);
  // A group that nothing was ever said in, not even that it exists, isn't there yet.
  return { conversations: described.filter(({ headSeq }) => headSeq !== 0n), next };
}

/** What isn't stored yet may change its place when it is: by the clock of another machine. It counts as moved. */
function beginning(view: RecentView, memberships: readonly Membership[], userId: string): ListPlace {
  const { createdMs, lastSequence } = view.end;
  const ahead = [...view.directOf(userId).values(), ...view.aheadOf(memberships.map(logOf)).values()];
  const streamSequence = ahead.reduce((lowest, each) => Math.min(lowest, each - 1), lastSequence);
  return { createdMs, since: { streamSequence, logId: "~" } };
}

interface ListQuery {
  readonly userId: string;
  readonly memberships: readonly Membership[];
  readonly pageSize: number;
}

type Chosen = { readonly page: readonly Candidate[]; readonly next: ListPlace | undefined };

async function choose(sources: ListingSources, view: RecentView, place: ListPlace, query: ListQuery): Promise<Chosen> {
  if (place.walked) return moved(sources, view, place, query);
  const { pageSize } = query;
  const listed = await byActivityAfter(sources, view, place.at, query);
  const page = listed.slice(0, pageSize);
  const last = page.at(-1);
  if (listed.length > pageSize && last !== undefined) {
    const at = { lastTimeMs: last.lastTimeMs, conversationId: last.conversationId };
    return { page, next: { ...place, at } };
  }
  // Nothing can have moved between the pages when there was only one.
  if (place.at === undefined) return { page, next: undefined };
  const walked = { createdMs: place.createdMs, since: place.since, walked: true };
  if (page.length === pageSize) return { page, next: walked };
  const again = await moved(sources, view, walked, { ...query, pageSize: pageSize - page.length });
  const ids = new Set(again.page.map(({ conversationId }) => conversationId));
  return { page: [...page.filter(({ conversationId }) => !ids.has(conversationId)), ...again.page], next: again.next };
}

/** The conversations after a place, at least one more than a page has where there are so many. */
async function byActivityAfter(
  sources: ListingSources,
  view: RecentView,
  after: ListedConversation | undefined,
  { userId, memberships, pageSize }: ListQuery,
): Promise<ListedCandidate[]> {
  // Before the store is asked: what it doesn't have then is ahead of it.
  const groups = memberships.filter(({ toSeq }) => toSeq === undefined);
  const aheadIds = [...view.directOf(userId).keys(), ...view.aheadOf(groups.map(logOf)).keys()];
  const [direct, times, newest] = await Promise.all([
    sources.store.directConversations(userId, after, pageSize + 1 + aheadIds.length),
    groups.length === 0 ? new Map<string, number>() : sources.store.lastTimesOf(groups.map(logOf)),
    aheadIds.length === 0 ? new Map<string, never>() : sources.log.lastOf(aheadIds),
  ]);
  const listed = new Map<string, ListedCandidate>();
  const add = (conversationId: string, storedMs: number, intervals: Candidate["intervals"]) => {
    const record = newest.get(conversationId)?.record;
    const lastTimeMs = record === undefined ? storedMs : Math.max(storedMs, timeOf(record));
    listed.set(conversationId, { conversationId, lastTimeMs, intervals });
  };
  for (const id of aheadIds) if (id.startsWith("d_")) add(id, 0, WHOLE);
  for (const { conversationId, lastTimeMs } of direct) add(conversationId, lastTimeMs, WHOLE);
  for (const group of groups) {
    const { fromSeq, toSeq } = group;
    add(logOf(group), times.get(logOf(group)) ?? 0, [{ fromSeq, toSeq }]);
  }
  return [...listed.values()].filter((each) => after === undefined || byActivity(after, each) < 0).sort(byActivity);
}

/** Those that have moved since the first page, in the order in which they did. */
async function moved(
  sources: ListingSources,
  view: RecentView,
  { createdMs, since }: ListPlace,
  { userId, memberships, pageSize: limit }: ListQuery,
): Promise<Chosen> {
  const round = { startMs: 0, upTo: since, place: undefined };
  const cursor = { since: undefined, round };
  const movers = await findMovers(sources.moves, view, { userId, memberships, cursor, limit });
  const before = view.end.lastSequence;
  const beyond = movers.some(({ streamSequence }) => streamSequence > before);
  const after = beyond ? (await sources.recent.position()).lastSequence : before;
  const choice = chooseMovers(movers, { round, end: { before, after }, startMs: 0, limit });
  const { round: next, hasMore } = choice.given(choice.chosen.length);
  return {
    page: choice.chosen.toSorted(byPlace).map(candidateOf),
    next: hasMore ? { createdMs, since: next.upTo, walked: true } : undefined,
  };
}

const candidateOf = ({ logId, intervals }: Mover): Candidate => ({ conversationId: logId, intervals });
const logOf = ({ groupId }: Membership) => `g_${groupId}`;
