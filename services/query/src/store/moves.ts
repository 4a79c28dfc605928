import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document, Filter } from "mongodb";
import type { MovedSince, MovePlace, MoveStore, PlacedLog } from "../ports/moves.ts";
import { JOINED, ofUser } from "./joined.ts";

/** What this reads of a head. */
export interface HeadPlaceDocument extends Document {
  readonly _id: string;
  readonly streamSequence: bigint;
  readonly lastTime: Date;
}

/** What this reads of a user's conversation. Documents from before there was a stream sequence lack it. */
export interface UserConversationPlaceDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly streamSequence?: bigint | null;
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
  const lookDirect = joinedLookups(async (ids) => {
    const filter = { _id: { $in: [...ids] } };
    const found = await reading(() => userConversations.find(filter, { projection: PLACE }).toArray());
    return new Map(found.map((each) => [each._id, placed(each)]));
  }, JOINED);
  return {
    async directMoved(userId, since, after, limit) {
      const filter = { userId, ...movedSince(since), ...(after === undefined ? {} : following(after)) };
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

const placed = ({ conversationId, streamSequence }: Partial<UserConversationPlaceDocument>): PlacedLog => ({
  logId: conversationId ?? "",
  streamSequence: Number(streamSequence ?? 0),
});

function movedSince(since: MovedSince) {
  if (since === undefined) return {};
  return { streamSequence: { $gt: BigInt(since.streamSequence) }, lastTime: { $gte: new Date(since.timeMs) } };
}

/** What comes after a place in a list by stream sequence and id, both descending; what has no sequence comes last. */
function following({ streamSequence, logId }: MovePlace) {
  const sameOrNone = streamSequence === 0 ? { $in: [0n, null] } : BigInt(streamSequence);
  const same = { streamSequence: sameOrNone, conversationId: { $lt: logId } };
  if (streamSequence === 0) return { $and: [same] };
  return { $or: [{ streamSequence: { $lt: BigInt(streamSequence) } }, same, { streamSequence: null }] };
}
