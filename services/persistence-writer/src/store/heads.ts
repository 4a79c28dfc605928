import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredHeadSchema, StoredUserConversationSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Collection, Db } from "mongodb";
import type { Head, UserConversation } from "../ports.ts";
import type { Moves } from "./moves.ts";

interface HeadDocument {
  _id: string;
  headSeq: bigint;
  streamSequence: bigint;
  lastTime: Date;
  lastRecord: Uint8Array;
  lastRecalledSeq?: bigint;
  lastMentionAllSeq?: bigint;
}

interface UserConversationDocument {
  _id: string;
  userId: string;
  conversationId: string;
  lastTime: Date;
  streamSequence: bigint;
}

/** Where heads and lists are kept. */
export interface HeadCollections {
  readonly heads: Collection<HeadDocument>;
  readonly userConversations: Collection<UserConversationDocument>;
}

export function headCollections(db: Db): HeadCollections {
  return {
    heads: db.collection(getOption(StoredHeadSchema, collection)),
    userConversations: db.collection(getOption(StoredUserConversationSchema, collection)),
  };
}

export async function indexHeads({ userConversations }: HeadCollections): Promise<void> {
  await userConversations.createIndexes([
    { name: "list", key: { userId: 1, lastTime: -1 } },
    { name: "moved", key: { userId: 1, streamSequence: 1 } },
  ]);
}

/**
 * Compares in the store: what lies at the head goes with the highest seq, whatever order batches come in. A mark that neither has stays
 * absent.
 */
export const headMoves = (heads: readonly Head[]): Moves<HeadDocument> => ({
  documents: heads.map(headDocument),
  forward: {
    headSeq: { $max: ["$moved.headSeq", "$headSeq"] },
    streamSequence: { $max: ["$moved.streamSequence", "$streamSequence"] },
    lastTime: ofNewer("lastTime"),
    lastRecord: ofNewer("lastRecord"),
    lastRecalledSeq: higher("lastRecalledSeq"),
    lastMentionAllSeq: higher("lastMentionAllSeq"),
  },
});

function headDocument({ conversationId, lastRecalledSeq, lastMentionAllSeq, ...head }: Head): HeadDocument {
  return {
    _id: conversationId,
    ...head,
    ...(lastRecalledSeq === undefined ? {} : { lastRecalledSeq }),
    ...(lastMentionAllSeq === undefined ? {} : { lastMentionAllSeq }),
  };
}

const ofNewer = (field: string) => ({
  $cond: [{ $gt: ["$moved.headSeq", "$headSeq"] }, `$moved.${field}`, `$${field}`],
});

/** Not `$max`, which makes null of what is absent. */
const higher = (field: string) => ({
  $cond: [{ $gt: [`$moved.${field}`, `$${field}`] }, `$moved.${field}`, `$${field}`],
});

/** The later of both; there may be documents without a stream sequence. */
export const userConversationMoves = (moved: readonly UserConversation[]): Moves<UserConversationDocument> => ({
  documents: moved.map((each) => ({ _id: `${each.userId}:${each.conversationId}`, ...each })),
  forward: {
    lastTime: { $max: ["$moved.lastTime", "$lastTime"] },
    streamSequence: { $max: ["$moved.streamSequence", "$streamSequence"] },
  },
});
