import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredArchiveBlockSchema,
  StoredConversationSettingsSchema,
  StoredDeliveredCursorSchema,
  StoredHeadSchema,
  StoredMentionSchema,
  StoredMessageStateSchema,
  StoredReactionSchema,
  StoredReadCursorSchema,
  StoredRecordSchema,
  StoredSearchEntrySchema,
  StoredUserConversationSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { Db, Document } from "mongodb";
import type { MoveStore } from "./ports/moves.ts";
import type { RecordStore } from "./ports.ts";
import { type ArchiveBlockDocument, archivedToo } from "./store/archive.ts";
import { changesIn, type MessageStateDocument, type ReactionDocument } from "./store/changes.ts";
import { cursorsIn, type ReadCursorDocument } from "./store/cursors.ts";
import { type DeliveredCursorDocument, deliveredIn } from "./store/delivered.ts";
import type { UserConversationPlaceDocument } from "./store/direct-moves.ts";
import { type HeadDocument, headsIn } from "./store/heads.ts";
import { listsIn, type SettingsDocument, type UserConversationDocument } from "./store/lists.ts";
import { type HeadPlaceDocument, movesIn } from "./store/moves.ts";
import { type RecordDocument, recordsIn } from "./store/records.ts";
import { type SearchEntryDocument, searchIn } from "./store/search.ts";
import { type MentionDocument, unreadIn } from "./store/unread.ts";

/** The store with its connection. */
export interface MongoRecordStore extends RecordStore, MoveStore {
  close(): Promise<void>;
}

/** Connects to the message store. */
export const openStore = (options: MongoOptions): Promise<MongoRecordStore> => openMongo(options, storeOver);

// The shapes are declared in records/v1/store.proto and written by persistence-writer, which also makes the indexes.
function storeOver(db: Db): RecordStore & MoveStore {
  const named = <T extends Document>(schema: DescMessage) => db.collection<T>(getOption(schema, collection));
  const records = named<RecordDocument>(StoredRecordSchema);
  const states = named<MessageStateDocument>(StoredMessageStateSchema);
  return {
    ...archivedToo(recordsIn(records), named<ArchiveBlockDocument>(StoredArchiveBlockSchema)),
    ...headsIn(named<HeadDocument>(StoredHeadSchema)),
    ...listsIn(
      named<UserConversationDocument>(StoredUserConversationSchema),
      named<SettingsDocument>(StoredConversationSettingsSchema),
    ),
    ...movesIn(
      named<HeadPlaceDocument>(StoredHeadSchema),
      named<UserConversationPlaceDocument>(StoredUserConversationSchema),
    ),
    ...changesIn(states, named<ReactionDocument>(StoredReactionSchema)),
    ...unreadIn({ records, states, mentions: named<MentionDocument>(StoredMentionSchema) }),
    ...cursorsIn(named<ReadCursorDocument>(StoredReadCursorSchema)),
    ...searchIn(named<SearchEntryDocument>(StoredSearchEntrySchema)),
    ...deliveredIn(named<DeliveredCursorDocument>(StoredDeliveredCursorSchema)),
  };
}
