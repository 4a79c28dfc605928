import type { Membership, MovedSince, MoveStore, PlacedLog, RecentView } from "../../ports/moves.ts";
import type { Interval } from "../../ports.ts";
import type { Mover } from "./choose.ts";
import type { Cursor } from "./cursor.ts";

/**
 * How far the clocks of the machines may be apart, and how much later than its record a membership may count, in milliseconds.
 * Within it a conversation that was joined or left comes more than once.
 */
export const TIME_MARGIN_MS = 3_600_000;

const WHOLE: readonly Interval[] = [{ fromSeq: 1n, toSeq: undefined }];

/** Where movers are found. */
export interface MoverQuery {
  readonly userId: string;
  /** His groups, also those that he has left since. */
  readonly memberships: readonly Membership[];
  readonly cursor: Pick<Cursor, "since" | "round">;
  readonly limit: number;
}

/**
 * The caller's conversations that may belong into the next page: all of his groups that have moved, and of his direct conversations
 * at least as many as a page has on either side of what the round has given.
 */
export async function findMovers(store: MoveStore, view: RecentView, query: MoverQuery): Promise<Mover[]> {
  const { userId, memberships, cursor } = query;
  const { since, round } = cursor;
  const present = memberships.filter(({ toSeq }) => toSeq === undefined);
  // Before the store is asked.
  const ahead = view.aheadOf(present.map(logOf));
  const aheadDirect = view.directOf(userId);
  // Some of what the store gives lies elsewhere for being ahead of it.
  const limit = query.limit + 1 + aheadDirect.size;
  const nothingBelow = round !== undefined && round.place === undefined;
  const [places, direct, below] = await Promise.all([
    present.length === 0 ? new Map<string, never>() : store.placesOf(present.map(logOf)),
    aheadDirect.size === 0 ? [] : store.directPlaces(userId, [...aheadDirect.keys()]),
    nothingBelow ? [] : store.directMoved(userId, withMargin(since), round?.place, limit),
  ]);
  // Not earlier: what moves from below to above in between would be in neither.
  const above = round === undefined ? [] : await store.directAbove(userId, round.upTo, limit);
  return [
    ...directMovers([...below, ...above, ...direct], aheadDirect, since),
    ...present.flatMap((membership) => groupMover(membership, { since, ahead, places }) ?? []),
    ...(since === undefined ? [] : memberships.flatMap(leftMover)),
  ];
}

/** Time tells what moved in this log from what has a high stream sequence of an earlier one. */
function withMargin(since: MovedSince): MovedSince {
  return since === undefined ? undefined : { ...since, timeMs: since.timeMs - TIME_MARGIN_MS };
}

/** A place only rises, however the store and the log tell it: else a conversation could lie now here, now there, and be missed. */
function directMovers(stored: readonly PlacedLog[], ahead: ReadonlyMap<string, number>, since: MovedSince): Mover[] {
  const known = new Map<string, number>();
  const note = (logId: string, streamSequence: number) =>
    known.set(logId, Math.max(streamSequence, known.get(logId) ?? 0));
  for (const { logId, streamSequence } of stored) note(logId, streamSequence);
  for (const [logId, streamSequence] of ahead) note(logId, streamSequence);
  const least = since?.streamSequence ?? -1;
  return [...known].flatMap(([logId, streamSequence]) =>
    streamSequence > least ? [{ logId, streamSequence, intervals: WHOLE, left: false }] : [],
  );
}

interface GroupPlaces {
  readonly since: MovedSince;
  readonly ahead: ReadonlyMap<string, number>;
  readonly places: ReadonlyMap<string, PlacedLog & { readonly lastTimeMs: number }>;
}

function groupMover(membership: Membership, { since, ahead, places }: GroupPlaces): Mover | undefined {
  const logId = logOf(membership);
  const stored = places.get(logId);
  const recent = ahead.get(logId) ?? 0;
  const streamSequence = Math.max(recent, stored?.streamSequence ?? 0);
  const mover = { logId, streamSequence, intervals: intervalsOf(membership), left: false };
  if (since === undefined) return mover;
  const timeMs = since.timeMs - TIME_MARGIN_MS;
  const after = streamSequence > since.streamSequence;
  const moved = after && (recent > 0 || (stored !== undefined && stored.lastTimeMs >= timeMs));
  // His membership may count later than the record that let him in, which an earlier round has passed then.
  if (!moved && membership.joinTimeMs < timeMs) return undefined;
  return after ? mover : { ...mover, streamSequence: 0 };
}

/** At the end of the list: nothing moves there any more for him, and where the group goes on isn't his to know. */
function leftMover(membership: Membership): Mover[] {
  if (membership.toSeq === undefined) return [];
  return [{ logId: logOf(membership), streamSequence: 0, intervals: intervalsOf(membership), left: true }];
}

const logOf = ({ groupId }: Membership) => `g_${groupId}`;
const intervalsOf = ({ fromSeq, toSeq }: Membership): readonly Interval[] => [{ fromSeq, toSeq }];
