import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { ProfileStore, RelationStore, RevisionStore } from "./ports.ts";
import { openProfiles } from "./store/profiles.ts";
import { openRelations } from "./store/relations.ts";
import { openRevisions } from "./store/revisions.ts";

/** Everything that user owns. */
export interface UserStore {
  readonly profiles: ProfileStore;
  readonly relations: RelationStore;
  readonly revisions: RevisionStore;
  close(): Promise<void>;
}

/** Connects and makes sure of the indexes. */
export const openStore = (options: MongoOptions): Promise<UserStore> =>
  openMongo(options, async (db) => ({
    profiles: await openProfiles(db),
    relations: openRelations(db),
    revisions: openRevisions(db),
  }));
