import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { RecentView } from "../../ports/moves.ts";
import { headOf } from "../heads.ts";
import { readStretch, type Sources } from "../merge.ts";

/** Records of a user's own log in one page. */
const PAGE = 500n;

/** The id of a user's own log. */
export const ownLogOf = (userId: string): string => `u_${userId}`;

/** The end of a user's own log: its last seq, 0 when it is empty, and whether the store has everything up to there. */
export interface OwnHead {
  readonly seq: bigint;
  readonly folded: boolean;
}

/** Where a user's own log ends. Only what the store may not have yet is asked of the log. */
export async function ownHead(sources: Sources, view: RecentView, userId: string): Promise<OwnHead> {
  const logId = ownLogOf(userId);
  if (view.aheadOf([logId]).size > 0) return { seq: (await headOf(sources, logId)).seq, folded: false };
  const stored = (await sources.store.heads([logId])).get(logId);
  if (stored === undefined) return { seq: 0n, folded: true };
  // What came since may be written, but not folded yet.
  return { seq: stored.seq, folded: stored.streamSequence <= view.end.lastSequence };
}

/** The records that follow a seq, as many as a page has. */
export async function readOwn(
  sources: Sources,
  userId: string,
  { afterSeq, headSeq }: { readonly afterSeq: bigint; readonly headSeq: bigint },
): Promise<LogRecord[]> {
  const toSeq = afterSeq + PAGE < headSeq ? afterSeq + PAGE : headSeq;
  return toSeq <= afterSeq ? [] : readStretch(sources, ownLogOf(userId), { fromSeq: afterSeq + 1n, toSeq });
}

/**
 * Up to which seq of a user's own log the store has folded everything into settings and read cursors: what it says of
 * conversations from now on holds that; the records after it have to be given.
 */
export async function foldedSeq(sources: Sources, view: RecentView, userId: string): Promise<bigint> {
  const storedUpTo = view.storedUpTo();
  const last = await sources.log.last(ownLogOf(userId));
  if (last === undefined) return (await sources.store.heads([ownLogOf(userId)])).get(ownLogOf(userId))?.seq ?? 0n;
  if (last.streamSequence <= storedUpTo) return last.record.seq;
  const [first] = await sources.log.from(ownLogOf(userId), storedUpTo + 1, 1);
  if (first === undefined) throw shared.unavailable("the newest records can't be read at the moment");
  return first.record.seq - 1n;
}
