import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredMessageStateSchema,
  StoredReactionSchema,
  StoredReadCursorSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type AnyBulkWriteOperation, type Collection, type Db, type Document, MongoBulkWriteError } from "mongodb";
import type { Changes, MessageChange, Reaction, ReadCursor } from "../ports.ts";
import { refusal } from "./refusal.ts";

interface MessageStateDocument {
  _id: string;
  conversationId: string;
  seq: bigint;
  editSeq?: bigint;
  editedTime?: Date;
  content?: Uint8Array;
  recallSeq?: bigint;
}

interface ReactionDocument {
  _id: string;
  conversationId: string;
  targetSeq: bigint;
  emoji: string;
  userId: string;
  seq: bigint;
  removed: boolean;
}

interface ReadCursorDocument {
  _id: string;
  userId: string;
  conversationId: string;
  readSeq: bigint;
}

/** Where changes are kept. */
export interface ChangeCollections {
  readonly messageStates: Collection<MessageStateDocument>;
  readonly reactions: Collection<ReactionDocument>;
  readonly readCursors: Collection<ReadCursorDocument>;
}

export function changeCollections(db: Db): ChangeCollections {
  return {
    messageStates: db.collection(getOption(StoredMessageStateSchema, collection)),
    reactions: db.collection(getOption(StoredReactionSchema, collection)),
    readCursors: db.collection(getOption(StoredReadCursorSchema, collection)),
  };
}

export async function indexChanges({ messageStates, reactions, readCursors }: ChangeCollections): Promise<void> {
  await messageStates.createIndexes([
    {
      name: "recalled",
      key: { conversationId: 1, seq: 1 },
      partialFilterExpression: { recallSeq: { $exists: true } },
    },
  ]);
  await reactions.createIndexes([{ name: "target", key: { conversationId: 1, targetSeq: 1 } }]);
  await readCursors.createIndexes([{ name: "user", key: { userId: 1 } }]);
}

/** Runs a write for a limited time. */
type InTime = (
  write: (options: { readonly ordered: false; readonly signal: AbortSignal }) => Promise<unknown>,
) => Promise<void>;

/** Every update compares seqs in the store, in one step: the same state comes of any order and of repeats. */
export async function applyChanges(to: ChangeCollections, changes: Changes, inTime: InTime): Promise<void> {
  await Promise.all([
    write(to.messageStates, changes.messages.map(messageUpdate), inTime),
    write(to.reactions, changes.reactions.map(reactionUpdate), inTime),
    write(to.readCursors, changes.readCursors.map(cursorUpdate), inTime),
  ]);
}

async function write<T extends Document>(
  to: Collection<T>,
  updates: AnyBulkWriteOperation<T>[],
  inTime: InTime,
): Promise<void> {
  if (updates.length === 0) return;
  try {
    await inTime((options) => to.bulkWrite(updates, options));
  } catch (error) {
    const [first] = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
    throw first === undefined ? error : refusal(first, error);
  }
}

function messageUpdate(change: MessageChange): AnyBulkWriteOperation<MessageStateDocument> {
  const { conversationId, seq, edit, recallSeq } = change;
  return {
    updateOne: {
      filter: { _id: `${conversationId}:${seq}` },
      update: [
        {
          $set: {
            conversationId: { $literal: conversationId },
            seq,
            ...(recallSeq === undefined ? {} : { recallSeq: { $max: [recallSeq, "$recallSeq"] } }),
            ...(edit === undefined
              ? {}
              : {
                  editSeq: { $max: [edit.seq, "$editSeq"] },
                  editedTime: ifNewer(edit.seq, "editSeq", edit.time, "editedTime"),
                  content: ifNewer(edit.seq, "editSeq", edit.content, "content"),
                }),
          },
        },
      ],
      upsert: true,
    },
  };
}

function reactionUpdate(reaction: Reaction): AnyBulkWriteOperation<ReactionDocument> {
  const { conversationId, targetSeq, emoji, userId, seq, removed } = reaction;
  return {
    updateOne: {
      filter: { _id: `${conversationId}:${targetSeq}:${emoji}:${userId}` },
      update: [
        {
          $set: {
            conversationId: { $literal: conversationId },
            targetSeq,
            emoji: { $literal: emoji },
            userId: { $literal: userId },
            seq: { $max: [seq, "$seq"] },
            removed: ifNewer(seq, "seq", removed, "removed"),
          },
        },
      ],
      upsert: true,
    },
  };
}

function cursorUpdate({ userId, conversationId, readSeq }: ReadCursor): AnyBulkWriteOperation<ReadCursorDocument> {
  return {
    updateOne: {
      filter: { _id: `${userId}:${conversationId}` },
      update: { $max: { readSeq }, $setOnInsert: { userId, conversationId } },
      upsert: true,
    },
  };
}

/** The new value when the record is newer than the one that the field is from (a missing number is below every other). */
function ifNewer(seq: bigint, seqField: string, value: unknown, field: string): Document {
  return { $cond: [{ $gt: [seq, `$${seqField}`] }, { $literal: value }, `$${field}`] };
}
