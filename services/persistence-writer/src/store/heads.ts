import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredHeadSchema, StoredUserConversationSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { AnyBulkWriteOperation, Collection, Db } from "mongodb";
import type { Head, UserConversation } from "../ports.ts";
import { ifNewer } from "./writes.ts";

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
 * One update, which compares in the store: what lies at the head goes with the highest seq, whatever order batches come in.
 * (A filter on `headSeq` with an upsert costs the same, and must be told from a duplicate key.)
 */
export function headUpdate(head: Head): AnyBulkWriteOperation<HeadDocument> {
  const { conversationId, headSeq, streamSequence, lastTime, lastRecord, lastRecalledSeq, lastMentionAllSeq } = head;
  return {
    updateOne: {
      filter: { _id: conversationId },
      update: [
        {
          $set: {
            headSeq: { $max: [headSeq, "$headSeq"] },
            streamSequence: { $max: [streamSequence, "$streamSequence"] },
            lastTime: ifNewer(headSeq, "headSeq", lastTime, "lastTime"),
            lastRecord: ifNewer(headSeq, "headSeq", lastRecord, "lastRecord"),
            ...forward("lastRecalledSeq", lastRecalledSeq),
            ...forward("lastMentionAllSeq", lastMentionAllSeq),
          },
        },
      ],
      upsert: true,
    },
  };
}

const forward = (field: string, seq: bigint | undefined) =>
  seq === undefined ? {} : { [field]: { $max: [seq, `$${field}`] } };

export function userConversationUpdate(moved: UserConversation): AnyBulkWriteOperation<UserConversationDocument> {
  const { userId, conversationId, lastTime, streamSequence } = moved;
  return {
    updateOne: {
      filter: { _id: `${userId}:${conversationId}` },
      update: { $max: { lastTime, streamSequence }, $setOnInsert: { userId, conversationId } },
      upsert: true,
    },
  };
}
