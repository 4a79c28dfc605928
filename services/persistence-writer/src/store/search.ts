import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredSearchEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import { shortKeyOf } from "@oceanchat/runtime/short-key";
import { indexTokensOf } from "@oceanchat/runtime/words";
import type { AnyBulkWriteOperation, Collection } from "mongodb";
import type { SearchChange, SearchIndex } from "../core/search-words.ts";
import { type InTime, ifNewer, insertAll, inTimeOf, updateAll } from "./writes.ts";

/** How long a write may take, in milliseconds: more than the largest batch needs. */
const WRITE_MS = 10_000;

interface SearchEntryDocument {
  _id: string;
  conversationId: string;
  conversationKey: bigint;
  seq: bigint;
  senderUserId?: string;
  acceptedTime?: Date;
  tokens: readonly string[];
  words: readonly string[];
  contentSeq?: bigint;
  recalled?: true;
}

/** Connects to the store, apart from the records' connections: the index may wait for the store, the records not for the index. */
export const openSearchIndex = (
  options: MongoOptions,
  writeMs = WRITE_MS,
): Promise<SearchIndex & { close(): Promise<void> }> =>
  openMongo({ silenceMs: writeMs, ...options }, async (db) => {
    const entries = db.collection<SearchEntryDocument>(getOption(StoredSearchEntrySchema, collection));
    // By time, not by seq: so that the newest of several conversations are read without reading the others.
    // The key stands for the conversation's id, which would be most of the index: it has an entry for each token.
    const key = { conversationKey: 1, tokens: 1, acceptedTime: 1, seq: 1 } as const;
    await entries.createIndexes([{ name: "words", key }]);
    const inTime = inTimeOf(writeMs);
    return { apply: (changes) => applyChanges(entries, changes, inTime) } satisfies SearchIndex;
  });

/** New messages are inserted, which is quick; what has an entry already, and what comes before its message, is merged. */
async function applyChanges(
  entries: Collection<SearchEntryDocument>,
  changes: readonly SearchChange[],
  inTime: InTime,
): Promise<void> {
  const whole = changes.flatMap((change) => documentOf(change) ?? []);
  const present = new Set((await insertAll(entries, whole, inTime)).map((index) => whole[index]?._id));
  const rest = changes.filter((change) => change.message === undefined || present.has(idOf(change)));
  await updateAll(entries, rest.map(merge), inTime);
}

const idOf = ({ conversationId, seq }: SearchChange): string => `${conversationId}:${seq}`;

function documentOf(change: SearchChange): SearchEntryDocument | undefined {
  const { conversationId, seq, message, content, recalled } = change;
  if (message === undefined || content === undefined) return undefined;
  return {
    _id: idOf(change),
    conversationId,
    conversationKey: shortKeyOf(conversationId),
    seq,
    ...message,
    tokens: recalled ? [] : indexTokensOf(content.words),
    words: recalled ? [] : content.words,
    contentSeq: content.seq,
    ...(recalled ? { recalled } : {}),
  };
}

/** Compares in the store, in one step: the same entry comes of any order and of repeats. */
function merge(change: SearchChange): AnyBulkWriteOperation<SearchEntryDocument> {
  const { conversationId, seq, message, content, recalled } = change;
  const newest = (field: "tokens" | "words", value: readonly string[] | undefined) => {
    if (recalled) return [];
    const kept = content === undefined ? `$${field}` : ifNewer(content.seq, "contentSeq", value, field);
    return { $cond: [{ $eq: ["$recalled", true] }, [], kept] };
  };
  const about =
    message === undefined
      ? {}
      : { senderUserId: { $literal: message.senderUserId }, acceptedTime: message.acceptedTime };
  return {
    updateOne: {
      filter: { _id: idOf(change) },
      update: [
        {
          $set: {
            conversationId: { $literal: conversationId },
            conversationKey: shortKeyOf(conversationId),
            seq,
            ...about,
            ...(content === undefined ? {} : { contentSeq: { $max: [content.seq, "$contentSeq"] } }),
            ...(recalled ? { recalled: true } : {}),
            tokens: newest("tokens", content && indexTokensOf(content.words)),
            words: newest("words", content?.words),
          },
        },
      ],
      upsert: true,
    },
  };
}
