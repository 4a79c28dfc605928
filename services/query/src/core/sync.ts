import { create, toBinary } from "@bufbuild/protobuf";
import { ConversationSchema } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Membership, MembershipPeers, MoveStore, RecentLogs, RecentView } from "../ports/moves.ts";
import type { Candidate, ConversationInit } from "./conversations.ts";
import type { Sources } from "./merge.ts";
import { byPlace, type Choice, chooseMovers, type Mover } from "./sync/choose.ts";
import { type Cursor, decodeCursor, encodeCursor, outdated } from "./sync/cursor.ts";
import { findMovers, TIME_MARGIN_MS } from "./sync/movers.ts";
import { foldedSeq, type OwnHead, ownHead, ownLogOf, readOwn } from "./sync/own-log.ts";

/** With more missed records of his own log than this a device starts afresh. */
const OWN_RECORDS_MISSED = 5000n;

/** What Sync is made of. */
export interface SyncSources extends Sources {
  readonly moves: MoveStore;
  readonly recent: RecentLogs;
  readonly peers: MembershipPeers;
  /**
   * Conversations as the user sees them, in the same order. `ahead` are the logs of which the store may not have everything, his own
   * among them. Who is removed meanwhile isn't shown what is said after his end.
   */
  describe(
    userId: string,
    candidates: readonly Candidate[],
    ahead: ReadonlySet<string>,
  ): Promise<readonly ConversationInit[]>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** How old a cursor may be, in milliseconds. */
  readonly cursorMaxAgeMs: number;
}

/** What a device asks for. */
export interface SyncRequest {
  /** Empty for the first time. */
  readonly cursor: string;
  readonly pageSize: number;
  /** About how large the page may be, encoded; one conversation and one record come in any case. */
  readonly maxBytes: number;
}

/** What a device has missed. */
export interface SyncPage {
  readonly conversations: ConversationInit[];
  readonly userRecords: LogRecord[];
  readonly cursor: string;
  readonly hasMore: boolean;
  readonly startAfresh: boolean;
}

/** Gives the next page of what a device has missed since its cursor. */
export async function sync(sources: SyncSources, userId: string, request: SyncRequest): Promise<SyncPage> {
  const nowMs = sources.now();
  const known = request.cursor === "" ? "outdated" : decodeCursor(request.cursor, userId);
  const leftSinceMs =
    known === "outdated" || known.since === undefined ? undefined : known.since.timeMs - TIME_MARGIN_MS;
  const [[view, own], memberships] = await Promise.all([
    viewAndOwnHead(sources, userId),
    sources.peers.memberships(userId, leftSinceMs),
  ]);
  const ownHeadSeq = own.seq;
  const usable = known !== "outdated" && isUsable(sources, known, { view, nowMs, ownHeadSeq });
  const cursor = usable ? known : await freshCursor(sources, view, userId, own);
  const [{ described, choice }, missed] = await Promise.all([
    describeMovers(sources, view, { userId, cursor, memberships, nowMs, pageSize: request.pageSize }),
    readOwn(sources, userId, { afterSeq: cursor.userSeq, headSeq: ownHeadSeq }),
  ]);
  const userRecords = fitting(missed, sizeOfRecord, request.maxBytes / 2);
  const room = request.maxBytes - userRecords.reduce((total, record) => total + sizeOfRecord(record), 0);
  const given = fitting(described, ({ conversation }) => sizeOf(conversation), room);
  const { round, hasMore } = choice.given(given.length);
  const userSeq = userRecords.at(-1)?.seq ?? cursor.userSeq;
  const more = hasMore || userSeq < ownHeadSeq;
  const since = { streamSequence: round.upTo.streamSequence, timeMs: round.startMs };
  const next = more ? { ...cursor, userSeq, round } : { ...cursor, userSeq, since, round: undefined };
  return {
    conversations: inOrder(given),
    userRecords,
    cursor: encodeCursor(next),
    hasMore: more,
    startAfresh: !usable,
  };
}

/** The latest activity first. A group that nothing was ever said in, not even that it exists, isn't there yet. */
function inOrder(described: readonly Described[]): ConversationInit[] {
  const there = described.filter(({ conversation }) => conversation.headSeq !== 0n);
  return there.toSorted((a, b) => byPlace(a.mover, b.mover)).map(({ conversation }) => conversation);
}

function isUsable(
  { cursorMaxAgeMs }: SyncSources,
  cursor: Cursor,
  { view, nowMs, ownHeadSeq }: { readonly view: RecentView; readonly nowMs: number; readonly ownHeadSeq: bigint },
): boolean {
  if (outdated(cursor, { end: view.end, nowMs, maxAgeMs: cursorMaxAgeMs })) return false;
  return cursor.round !== undefined || ownHeadSeq - cursor.userSeq <= OWN_RECORDS_MISSED;
}

async function viewAndOwnHead(sources: SyncSources, userId: string): Promise<[RecentView, OwnHead]> {
  const view = await sources.recent.caughtUp();
  return [view, await ownHead(sources, view, userId)];
}

async function freshCursor(sources: SyncSources, view: RecentView, userId: string, own: OwnHead): Promise<Cursor> {
  const userSeq = own.folded ? own.seq : await foldedSeq(sources, view, userId);
  return { userId, createdMs: view.end.createdMs, since: undefined, userSeq, round: undefined };
}

interface PageOptions {
  readonly userId: string;
  readonly cursor: Cursor;
  readonly memberships: readonly Membership[];
  readonly nowMs: number;
  readonly pageSize: number;
}

interface Described {
  readonly mover: Mover;
  readonly conversation: ConversationInit;
}

async function describeMovers(
  sources: SyncSources,
  view: RecentView,
  { userId, cursor, memberships, nowMs, pageSize }: PageOptions,
): Promise<{ described: Described[]; choice: Choice }> {
  const movers = await findMovers(sources.moves, view, { userId, memberships, cursor, limit: pageSize });
  const before = view.end.lastSequence;
  const beyond = cursor.round !== undefined && movers.some(({ streamSequence }) => streamSequence > before);
  const after = beyond ? (await sources.recent.position()).lastSequence : before;
  const options = { round: cursor.round, end: { before, after }, startMs: nowMs, limit: pageSize };
  const choice = chooseMovers(movers, options);
  const { chosen } = choice;
  if (chosen.length === 0) return { described: [], choice };
  const candidates = chosen.map(({ logId, intervals, left }) => ({ conversationId: logId, intervals, left }));
  const ahead = new Set(view.aheadOf([...chosen.map(({ logId }) => logId), ownLogOf(userId)]).keys());
  const conversations = await sources.describe(userId, candidates, ahead);
  const described = chosen.flatMap((mover, index) => {
    const conversation = conversations[index];
    return conversation === undefined ? [] : [{ mover, conversation: asMember(conversation, mover) }];
  });
  return { described, choice };
}

/** Who has left doesn't learn when something happened afterwards. */
function asMember(conversation: ConversationInit, { left }: Mover): ConversationInit {
  if (!left) return conversation;
  const { lastTime, ...rest } = conversation;
  const time = conversation.lastRecord?.acceptedTime;
  return time === undefined ? rest : { ...rest, lastTime: time };
}

/** As many from the beginning as fit, at least one. */
function fitting<T>(items: readonly T[], size: (item: T) => number, maxBytes: number): T[] {
  let bytes = 0;
  const beyond = items.findIndex((item, index) => {
    bytes += size(item);
    return bytes > maxBytes && index > 0;
  });
  return items.slice(0, beyond === -1 ? items.length : beyond);
}

const sizeOf = (conversation: ConversationInit): number =>
  toBinary(ConversationSchema, create(ConversationSchema, conversation)).length;
const sizeOfRecord = (record: LogRecord): number => toBinary(RecordSchema, record).length;
