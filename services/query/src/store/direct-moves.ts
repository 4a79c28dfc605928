import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { MovedSince, PlacedLog } from "../ports/moves.ts";
import { JOINED } from "./joined.ts";

/** What this reads of a user's conversation. Documents from before there was a stream sequence lack it. */
export interface UserConversationPlaceDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly streamSequence?: bigint | null;
  readonly lastTime: Date;
}

/** All direct conversations of a user that have moved, the last one first; undefined when they can't be read together with others'. */
export type JoinedMoves = (userId: string, since: MovedSince) => Promise<readonly PlacedLog[] | undefined>;

/** Conversations that one request reads at most, for each user: who has many is asked for apart, and costs the others little. */
const READ_EACH = 16;
const RULES = { ...JOINED, maxKeys: 250 };
const PROJECTION = { _id: 0, userId: 1, conversationId: 1, streamSequence: 1, lastTime: 1 } as const;

/**
 * Looks for what has moved of all users that are asked for at the same time by one request, which costs little more than for one. It
 * reads from the earliest place that one of them asks for, so those who ask for everything are not asked for together with the others.
 */
export function joinedMovesIn(conversations: Collection<UserConversationPlaceDocument>): JoinedMoves {
  const look = async (keys: readonly string[]) => {
    const asked = keys.map(readKey);
    const limit = READ_EACH * asked.length;
    const found = await read(conversations, asked, limit);
    const byUser = Map.groupBy(found, ({ userId }) => userId);
    // Where the request was cut off, not all of the last user's were read, and none of who comes after him.
    const cutAt = found.length < limit ? undefined : found.at(-1)?.userId;
    const whole = asked.filter(({ userId }) => cutAt === undefined || userId < cutAt);
    return new Map(
      whole.map(({ key, userId, since }) => [key, (byUser.get(userId) ?? []).filter(movedSince(since)).map(placed)]),
    );
  };
  const [lookAll, lookSince] = [joinedLookups(look, RULES), joinedLookups(look, RULES)];
  return async (userId, since) => {
    const key = since === undefined ? userId : `${userId} ${since.streamSequence} ${since.timeMs}`;
    return (await (since === undefined ? lookAll : lookSince)([key])).get(key);
  };
}

function readKey(key: string) {
  const [userId = "", streamSequence, timeMs] = key.split(" ");
  const since =
    streamSequence === undefined ? undefined : { streamSequence: Number(streamSequence), timeMs: Number(timeMs) };
  return { key, userId, since };
}

function read(
  conversations: Collection<UserConversationPlaceDocument>,
  asked: readonly { readonly userId: string; readonly since: MovedSince }[],
  limit: number,
) {
  const places = asked.flatMap(({ since }) => since ?? []);
  const streamSequence = Math.min(...places.map((since) => since.streamSequence));
  const timeMs = Math.min(...places.map((since) => since.timeMs));
  const users = { userId: { $in: [...new Set(asked.map(({ userId }) => userId))] } };
  const filter = places.length < asked.length ? users : { ...users, ...movedSinceFilter({ streamSequence, timeMs }) };
  return reading(() =>
    conversations
      .find(filter, { projection: PROJECTION })
      .sort({ userId: 1, streamSequence: -1, conversationId: -1 })
      .limit(limit)
      .toArray(),
  );
}

/** What has moved since a place, as the store is asked. */
export function movedSinceFilter(since: MovedSince) {
  if (since === undefined) return {};
  return { streamSequence: { $gt: BigInt(since.streamSequence) }, lastTime: { $gte: new Date(since.timeMs) } };
}

const movedSince = (since: MovedSince) => (one: UserConversationPlaceDocument) =>
  since === undefined ||
  (Number(one.streamSequence ?? 0) > since.streamSequence && one.lastTime.getTime() >= since.timeMs);

/** Where a conversation lies. */
export const placed = ({ conversationId, streamSequence }: Partial<UserConversationPlaceDocument>): PlacedLog => ({
  logId: conversationId ?? "",
  streamSequence: Number(streamSequence ?? 0),
});
