import type { MovePlace } from "../../ports/moves.ts";
import type { Interval } from "../../ports.ts";
import type { Round } from "./cursor.ts";

/** A conversation that belongs into a round, with its place in the round's list. */
export interface Mover extends MovePlace {
  readonly intervals: readonly Interval[];
  /** No longer the caller's. */
  readonly left: boolean;
}

/** The conversations of a page, and what follows from giving them. */
export interface Choice {
  /** In the order in which they are given up when there are too many: those that moved during the round, then the others. */
  readonly chosen: readonly Mover[];
  /** The round when so many of them have been given, at least one if there is one, and whether there is more. */
  given(count: number): { readonly round: Round; readonly hasMore: boolean };
}

/** The highest stream sequence first; among equals the highest id. */
export function byPlace(a: MovePlace, b: MovePlace): number {
  if (a.streamSequence !== b.streamSequence) return b.streamSequence - a.streamSequence;
  return a.logId < b.logId ? 1 : a.logId > b.logId ? -1 : 0;
}

/** Chooses the next page of a round. `movers` hold everything that it may have to give; `startMs` counts for its first page. */
export function chooseMovers(movers: readonly Mover[], { round, end, startMs, limit }: ChooseOptions): Choice {
  const above = round === undefined ? [] : movers.filter((mover) => isAbove(mover, round, end));
  above.sort((a, b) => byPlace(b, a));
  const moved = new Set(above.map(({ logId }) => logId));
  const below = movers.filter((each) => !moved.has(each.logId) && isBelow(each, round)).sort(byPlace);
  return {
    chosen: [...above, ...below].slice(0, limit),
    given(count) {
      const started = round?.startMs ?? startMs;
      const lastAbove = above[count - 1];
      if (count < above.length && lastAbove !== undefined) {
        // Not beyond where the log ended: there may be others that weren't known yet.
        const upTo = lastAbove.streamSequence > end.before ? allUpTo(end.before) : placeOf(lastAbove);
        return { round: { startMs: started, upTo, place: round?.place }, hasMore: true };
      }
      const left = below.slice(count - above.length);
      const last = below[count - above.length - 1] ?? round?.place;
      const place = left.length > 0 && last !== undefined ? placeOf(last) : undefined;
      return { round: { startMs: started, upTo: allUpTo(end.before), place }, hasMore: place !== undefined };
    },
  };
}

/** Where a round stands. */
export interface ChooseOptions {
  readonly round: Round | undefined;
  /** Where the log ended before the movers were looked for, and after: what lies beyond is of another log. */
  readonly end: { readonly before: number; readonly after: number };
  readonly startMs: number;
  readonly limit: number;
}

const isAbove = (mover: Mover, { upTo }: Round, { after }: ChooseOptions["end"]) =>
  byPlace(mover, upTo) < 0 && mover.streamSequence <= after;

const isBelow = (mover: Mover, round: Round | undefined) =>
  round === undefined || (round.place !== undefined && byPlace(round.place, mover) < 0);

/** After the last of all logs that lie there: logs of earlier streams may have the same stream sequence. */
const allUpTo = (streamSequence: number): MovePlace => ({ streamSequence, logId: "~" });
const placeOf = ({ streamSequence, logId }: MovePlace): MovePlace => ({ streamSequence, logId });
