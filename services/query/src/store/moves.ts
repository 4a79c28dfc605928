import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document, Filter } from "mongodb";
import type { MovePlace, MoveStore } from "../ports/moves.ts";
import { joinedMovesIn, movedSinceFilter, placed, type UserConversationPlaceDocument } from "./direct-moves.ts";
import { JOINED, ofUser } from "./joined.ts";

/** What this reads of a head. */
export interface HeadPlaceDocument extends Document {
  readonly _id: string;
  readonly streamSequence: bigint;
  readonly lastTime: Date;
}

const PLACE = { conversationId: 1, streamSequence: 1 } as const;

/** Reads what has moved. */
export function movesIn(
  heads: Collection<HeadPlaceDocument>,
  userConversations: Collection<UserConversationPlaceDocument>,
): MoveStore {
  const find = (filter: Filter<UserConversationPlaceDocument>, direction: 1 | -1, limit: number) =>
    reading(() =>
      userConversations
        .find(filter, { projection: PLACE })
        .sort({ streamSequence: direction, conversationId: direction })
        .limit(limit)
        .toArray(),
    );
  const joined = joinedMovesIn(userConversations);
  const lookDirect = joinedLookups(async (ids) => {
    const filter = { _id: { $in: [...ids] } };
    const found = await reading(() => userConversations.find(filter, { projection: PLACE }).toArray());
    return new Map(found.map((each) => [each._id, placed(each)]));
  }, JOINED);
  return {
    async directMoved(userId, since, after, limit) {
      // Most devices have little to ask for, and many come back at once.
      const all = after === undefined ? await joined(userId, since) : undefined;
      if (all !== undefined) return all.slice(0, limit);
      const filter = { userId, ...movedSinceFilter(since), ...(after === undefined ? {} : following(after)) };
      return (await find(filter, -1, limit)).map(placed);
    },
    async directAbove(userId, { streamSequence, logId }, limit) {
      const at = BigInt(streamSequence);
      const above = [{ streamSequence: { $gt: at } }, { streamSequence: at, conversationId: { $gt: logId } }];
      return (await find({ userId, $or: above }, 1, limit)).map(placed);
    },
    async directPlaces(userId, conversationIds) {
      const ids = conversationIds.map((conversationId) => ofUser(userId, conversationId));
      return [...(await lookDirect(ids)).values()];
    },
    placesOf: joinedLookups(async (logIds) => {
      const found = await reading(() =>
        heads.find({ _id: { $in: [...logIds] } }, { projection: { streamSequence: 1, lastTime: 1 } }).toArray(),
      );
      return new Map(
        found.map(({ _id, streamSequence, lastTime }) => [
          _id,
          { logId: _id, streamSequence: Number(streamSequence), lastTimeMs: lastTime.getTime() },
        ]),
      );
    }, JOINED),
  };
}

/** What comes after a place in a list by stream sequence and id, both descending; what has no sequence comes last. */
function following({ streamSequence, logId }: MovePlace) {
  const sameOrNone = streamSequence === 0 ? { $in: [0n, null] } : BigInt(streamSequence);
  const same = { streamSequence: sameOrNone, conversationId: { $lt: logId } };
  if (streamSequence === 0) return { $and: [same] };
  return { $or: [{ streamSequence: { $lt: BigInt(streamSequence) } }, same, { streamSequence: null }] };
}
