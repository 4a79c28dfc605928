import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredConversationSettingsSchema,
  StoredMessageStateSchema,
  StoredReactionSchema,
  StoredReadCursorSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { AnyBulkWriteOperation, Collection, Db, Document } from "mongodb";
import type { Changes, MessageChange, Reaction, ReadCursor, Setting, SettingsChange } from "../ports.ts";
import { type Moves, moveAll } from "./moves.ts";
import { type InTime, ifNewer, updateAll } from "./writes.ts";

interface MessageStateDocument {
  _id: string;
  conversationId: string;
  seq: bigint;
  editSeq?: bigint;
  editedTime?: Date;
  content?: Uint8Array;
  flags?: readonly string[];
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

interface SettingsDocument {
  _id: string;
  userId: string;
  conversationId: string;
  pinned?: boolean;
  pinnedSeq?: bigint;
  mutedUntil?: Date;
  mutedSeq?: bigint;
}

/** Where changes are kept. */
export interface ChangeCollections {
  readonly messageStates: Collection<MessageStateDocument>;
  readonly reactions: Collection<ReactionDocument>;
  readonly readCursors: Collection<ReadCursorDocument>;
  readonly settings: Collection<SettingsDocument>;
}

export function changeCollections(db: Db): ChangeCollections {
  return {
    messageStates: db.collection(getOption(StoredMessageStateSchema, collection)),
    reactions: db.collection(getOption(StoredReactionSchema, collection)),
    readCursors: db.collection(getOption(StoredReadCursorSchema, collection)),
    settings: db.collection(getOption(StoredConversationSettingsSchema, collection)),
  };
}

export async function indexChanges(to: ChangeCollections): Promise<void> {
  const { messageStates, reactions, readCursors, settings } = to;
  await messageStates.createIndexes([
    {
      name: "recalled",
      key: { conversationId: 1, seq: 1 },
      partialFilterExpression: { recallSeq: { $exists: true } },
    },
  ]);
  await reactions.createIndexes([{ name: "target", key: { conversationId: 1, targetSeq: 1 } }]);
  await readCursors.createIndexes([{ name: "user", key: { userId: 1 } }]);
  await settings.createIndexes([{ name: "user", key: { userId: 1 } }]);
}

/** Every update compares seqs in the store, in one step: the same state comes of any order and of repeats. */
export async function applyChanges(to: ChangeCollections, changes: Changes, inTime: InTime): Promise<void> {
  await Promise.all([
    updateAll(to.messageStates, changes.messages.map(messageUpdate), inTime),
    updateAll(to.reactions, changes.reactions.map(reactionUpdate), inTime),
    moveAll(to.readCursors, cursorMoves(changes.readCursors), inTime),
    updateAll(to.settings, changes.settings.map(settingsUpdate), inTime),
  ]);
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
                  flags: ifNewer(edit.seq, "editSeq", edit.flags, "flags"),
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

const cursorMoves = (cursors: readonly ReadCursor[]): Moves<ReadCursorDocument> => ({
  documents: cursors.map((cursor) => ({ _id: `${cursor.userId}:${cursor.conversationId}`, ...cursor })),
  forward: { readSeq: { $max: ["$moved.readSeq", "$readSeq"] } },
});

/** Each setting by itself: the record with the highest seq that says something of it wins. */
function settingsUpdate(change: SettingsChange): AnyBulkWriteOperation<SettingsDocument> {
  const { userId, conversationId, pinned, mutedUntil } = change;
  return {
    updateOne: {
      filter: { _id: `${userId}:${conversationId}` },
      update: [
        {
          $set: {
            userId: { $literal: userId },
            conversationId: { $literal: conversationId },
            ...settingOf("pinned", "pinnedSeq", pinned),
            ...settingOf("mutedUntil", "mutedSeq", mutedUntil),
          },
        },
      ],
      upsert: true,
    },
  };
}

const settingOf = (field: string, seqField: string, setting: Setting<unknown> | undefined): Document =>
  setting === undefined
    ? {}
    : {
        [field]: ifNewer(setting.seq, seqField, setting.value, field),
        [seqField]: { $max: [setting.seq, `$${seqField}`] },
      };
