import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { ListPosition, RecordStore } from "../ports.ts";
import { JOINED, ofUser } from "./joined.ts";

export interface UserConversationDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly lastTime: Date;
}

export interface SettingsDocument extends Document {
  readonly _id: string;
  readonly conversationId: string;
  readonly pinned?: boolean;
  readonly mutedUntil?: Date;
}

/** Reads which conversations a user has, and his settings for them. */
export function listsIn(
  userConversations: Collection<UserConversationDocument>,
  settings: Collection<SettingsDocument>,
): Pick<RecordStore, "directConversations" | "settingsOf"> {
  const lookSettings = joinedLookups(async (ids) => {
    const found = await reading(() => settings.find({ _id: { $in: [...ids] } }).toArray());
    return new Map(found.map((each) => [each._id, each]));
  }, JOINED);
  return {
    async directConversations(userId, after, limit) {
      const found = await reading(() =>
        userConversations
          .find(after === undefined ? { userId } : { userId, ...following(after) })
          .sort({ lastTime: -1, conversationId: -1 })
          .limit(limit)
          .toArray(),
      );
      return found.map(({ conversationId, lastTime }) => ({ conversationId, lastTimeMs: lastTime.getTime() }));
    },
    async settingsOf(userId, conversationIds) {
      const found = await lookSettings(conversationIds.map((conversationId) => ofUser(userId, conversationId)));
      return new Map(
        [...found.values()].map(({ conversationId, pinned, mutedUntil }) => [
          conversationId,
          { pinned: pinned ?? false, mutedUntilMs: mutedUntil?.getTime() ?? 0 },
        ]),
      );
    },
  };
}

/** What comes after a place in a list that is sorted by activity and id, both descending. */
function following({ lastTimeMs, conversationId }: ListPosition) {
  const lastTime = new Date(lastTimeMs);
  return { $or: [{ lastTime: { $lt: lastTime } }, { lastTime, conversationId: { $lt: conversationId } }] };
}
