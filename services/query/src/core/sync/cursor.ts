import { encodePageToken } from "@oceanchat/runtime/page-token";
import { errors } from "../../errors.ts";
import type { LogPosition, MovePlace } from "../../ports/moves.ts";

/** Another number when the meaning changes: a cursor of an earlier version starts afresh. */
const VERSION = 1;

/** What a device has: everything up to a place in the log. */
export interface Cursor {
  /** Whose. */
  readonly userId: string;
  /** Which log. */
  readonly createdMs: number;
  /** Conversations whose last record lies after this stream sequence have moved; undefined: all of them have. */
  readonly since: { readonly streamSequence: number; readonly timeMs: number } | undefined;
  /** His own log is known up to this seq. */
  readonly userSeq: bigint;
  /** Undefined between rounds. */
  readonly round: Round | undefined;
}

/**
 * How far a round has come. Its list is in the order of stream sequences, the highest first. What it has given is one stretch of
 * that list: from `place` up to `upTo`. A conversation that moves leaves its place and comes to lie above `upTo`, where it is found
 * again; so none is lost, and some come twice.
 */
export interface Round {
  /** When its first page was asked for, in milliseconds since the epoch. */
  readonly startMs: number;
  readonly upTo: MovePlace;
  /** The last one given; undefined when there is nothing left below. */
  readonly place: MovePlace | undefined;
}

/** As a word that clients don't look into. */
export function encodeCursor({ userId, createdMs, since, userSeq, round }: Cursor): string {
  return encodePageToken({
    v: VERSION,
    user: userId,
    log: createdMs,
    ...(since === undefined ? {} : { after: since.streamSequence, time: since.timeMs }),
    own: Number(userSeq),
    ...(round === undefined ? {} : { start: round.startMs, upTo: round.upTo.streamSequence, upToId: round.upTo.logId }),
    ...(round?.place === undefined ? {} : { at: round.place.streamSequence, id: round.place.logId }),
  });
}

/**
 * What a cursor says; "outdated" when another version wrote it. Throws INVALID_PAGE_TOKEN for what isn't a cursor of this user.
 */
export function decodeCursor(text: string, userId: string): Cursor | "outdated" {
  const fields = fieldsOf(text);
  if (fields === undefined || typeof fields.v !== "number" || fields.user !== userId) throw errors.invalidCursor();
  if (fields.v !== VERSION) return "outdated";
  const { log, own, after, time, start, upTo, upToId, at, id } = fields;
  if (!isCount(log) || !isCount(own)) throw errors.invalidCursor();
  const since = isCount(after) && isCount(time) ? { streamSequence: after, timeMs: time } : undefined;
  const top = placeIn(upTo, upToId);
  const round = isCount(start) && top !== undefined ? { startMs: start, upTo: top, place: placeIn(at, id) } : undefined;
  if (since === undefined && round === undefined) throw errors.invalidCursor();
  return { userId, createdMs: log, since, userSeq: BigInt(own), round };
}

/** Whether what was missed can no longer be told, so that the device must start afresh. */
export function outdated(
  cursor: Cursor,
  { end, nowMs, maxAgeMs }: { readonly end: LogPosition; readonly nowMs: number; readonly maxAgeMs: number },
): boolean {
  if (cursor.createdMs !== end.createdMs) return true;
  if (
    (cursor.since?.streamSequence ?? 0) > end.lastSequence ||
    (cursor.round?.upTo.streamSequence ?? 0) > end.lastSequence
  )
    return true;
  const oldest = cursor.since?.timeMs ?? cursor.round?.startMs ?? 0;
  return nowMs - oldest > maxAgeMs;
}

const placeIn = (streamSequence: unknown, logId: unknown): MovePlace | undefined =>
  isCount(streamSequence) && typeof logId === "string" ? { streamSequence, logId } : undefined;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // the same answer as for other nonsense
  }
}
