import type { MovePlace } from "../ports/moves.ts";
import type { ListPosition } from "../ports.ts";

/** How far a list has been given. */
export interface ListPlace {
  /** Which log: in another one nothing of this holds. */
  readonly createdMs: number;
  /** What lies above in the order of stream sequences has moved since the list was begun, and comes at its end. */
  readonly since: MovePlace;
  /** The last one given in the order of activity; undefined before the first. */
  readonly at?: ListPosition;
  /** Whether only what has moved is left. */
  readonly walked?: boolean;
}

/** What goes into a page token. */
export function placeFields({ createdMs, since, at, walked }: ListPlace): object {
  const moved = { log: createdMs, since: since.streamSequence, sinceId: since.logId };
  return walked ? { ...moved, walked } : { ...moved, time: at?.lastTimeMs, id: at?.conversationId };
}

/** The same back; undefined for what isn't a place. */
export function placeOfFields(fields: Readonly<Record<string, unknown>>): ListPlace | undefined {
  const { log, since, sinceId, walked, time, id } = fields;
  if (typeof log !== "number" || typeof since !== "number" || typeof sinceId !== "string") return undefined;
  if (!Number.isSafeInteger(since) || since < 0) return undefined;
  const moved = { createdMs: log, since: { streamSequence: since, logId: sinceId } };
  if (walked === true) return { ...moved, walked };
  if (typeof time !== "number" || Number.isNaN(new Date(time).getTime()) || typeof id !== "string") return undefined;
  return { ...moved, at: { lastTimeMs: time, conversationId: id } };
}
