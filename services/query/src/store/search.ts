import { shared } from "@oceanchat/runtime/fail";
import { inTurns } from "@oceanchat/runtime/in-turns";
import { reading } from "@oceanchat/runtime/mongo";
import { shortKeyOf } from "@oceanchat/runtime/short-key";
import { indexTokenOf, tokenRangeOf, type WordQuery, wordRangeOf } from "@oceanchat/runtime/words";
import { type Collection, type Document, type Filter, MongoServerError } from "mongodb";
import type { FoundMessage, MessageQuery, SearchedConversation, SearchIndex } from "../ports/search.ts";
import type { Interval } from "../ports.ts";

/** Up to so many conversations are looked up singly: each by the index in its order, as far as the page goes. */
const SINGLY = 16;
/** Such look-ups beside each other. */
const AT_ONCE = 4;
/** How long the store may look, in milliseconds. */
const SEARCH_MS = 5_000;
const MAX_TIME_EXPIRED = 50;

export interface SearchEntryDocument extends Document {
  readonly _id: string;
  readonly conversationId: string;
  readonly conversationKey: bigint;
  readonly seq: bigint;
  readonly senderUserId?: string;
  readonly acceptedTime?: Date;
  readonly tokens: readonly string[];
  readonly words: readonly string[];
}

/** Reads the index of what messages say. */
export function searchIn(entries: Collection<SearchEntryDocument>): SearchIndex {
  const find = (filter: Filter<SearchEntryDocument>, order: Document, limit: number) =>
    inTime(() =>
      entries
        .find(filter, { projection: { _id: 0, conversationId: 1, seq: 1, acceptedTime: 1 }, maxTimeMS: SEARCH_MS })
        .sort(order)
        .limit(limit)
        .toArray(),
    );
  return {
    async search(conversations, query) {
      const filters = conversations.map((each) => filterOf(each, query));
      const hasToken = query.words[0] !== undefined && indexTokenOf(query.words[0]) !== undefined;
      const found: SearchEntryDocument[] = [];
      // What has no token always: asked for in many conversations at once, embedded stores walk through all that there are.
      if (filters.length <= SINGLY || !hasToken) {
        await inTurns(filters, AT_ONCE, async (each) => {
          found.push(...(await find(each, { acceptedTime: -1, seq: -1 }, query.limit)));
        });
      } else {
        found.push(...(await find({ $or: filters }, { acceptedTime: -1, conversationId: -1, seq: -1 }, query.limit)));
      }
      // Compared here: asked for beside the key, the id keeps the embedded store from using the index.
      const asked = new Set(conversations.map(({ conversationId }) => conversationId));
      return found.flatMap(({ conversationId, seq, acceptedTime }): FoundMessage[] =>
        acceptedTime === undefined || !asked.has(conversationId)
          ? []
          : [{ conversationId, seq, acceptedTimeMs: acceptedTime.getTime() }],
      );
    },
  };
}

async function inTime<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await reading(read);
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== MAX_TIME_EXPIRED) throw error;
    throw shared.unavailable("the search takes too long: longer words, or one conversation, take less", error);
  }
}

function filterOf(
  { conversationId, intervals }: SearchedConversation,
  query: MessageQuery,
): Filter<SearchEntryDocument> {
  const { words, senderUserId, fromMs } = query;
  const [first, ...others] = words;
  const token = first && indexTokenOf(first);
  // A token stands for all words that begin alike; a range of them is what is looked for.
  const rest: Filter<SearchEntryDocument>[] = (token === undefined ? others : words).map(comparison);
  if (senderUserId !== "") rest.push({ senderUserId });
  if (intervals.length === 1) rest.push(...intervals.flatMap((only) => within(only) ?? []));
  else rest.push({ $or: intervals.map((each) => within(each) ?? {}) });
  const { until, ties } = untilOf(conversationId, query);
  // Always with a time: an entry without one has only been edited so far, its message is still to come.
  const acceptedTime = { $gte: new Date(fromMs), ...until };
  return {
    conversationKey: shortKeyOf(conversationId),
    ...(first === undefined ? {} : { tokens: token ?? between(tokenRangeOf(first.word)) }),
    acceptedTime,
    ...(rest.length === 0 ? {} : { $and: rest }),
    ...ties,
  };
}

/** Denied twice: else embedded stores walk through everything where several conversations are asked, instead of looking the token up. */
const comparison = ({ word, prefix }: WordQuery): Filter<SearchEntryDocument> => ({
  $nor: [{ $nor: [{ words: prefix ? between(wordRangeOf(word)) : word }] }],
});

const between = ([from, to]: readonly [string, string]) => ({ $elemMatch: { $gte: from, $lt: to } });

function within({ fromSeq, toSeq }: Interval): Filter<SearchEntryDocument> | undefined {
  if (toSeq !== undefined) return { seq: { $gte: fromSeq, $lte: toSeq } };
  return fromSeq <= 1n ? undefined : { seq: { $gte: fromSeq } };
}

/** What comes after a place: what is older, and of the same time what has a lower id, then a lower seq. */
function untilOf(conversationId: string, { toMs, after }: MessageQuery): { until: Document; ties: Document } {
  const before = toMs === undefined ? {} : { $lt: new Date(toMs) };
  if (after === undefined || (toMs !== undefined && toMs <= after.acceptedTimeMs)) return { until: before, ties: {} };
  const time = new Date(after.acceptedTimeMs);
  if (conversationId > after.conversationId) return { until: { $lt: time }, ties: {} };
  // Not $lte: the embedded store leaves out what is equal, where the index goes on behind the time.
  const until = { $lt: new Date(after.acceptedTimeMs + 1) };
  if (conversationId < after.conversationId) return { until, ties: {} };
  return { until, ties: { $nor: [{ acceptedTime: time, seq: { $gte: after.seq } }] } };
}
