import { openMongo } from "./mongo.ts";
import type { ProfileStore, RelationStore } from "./ports.ts";
import { openProfiles } from "./store/profiles.ts";
import { openRelations } from "./store/relations.ts";

/** Everything that user owns. */
export interface UserStore {
  readonly profiles: ProfileStore;
  readonly relations: RelationStore;
  close(): Promise<void>;
}

/** Connects and makes sure of the indexes. */
export async function openStore(options: Parameters<typeof openMongo>[0]): Promise<UserStore> {
  const { db, close } = await openMongo(options);
  try {
    return { profiles: await openProfiles(db), relations: openRelations(db), close };
  } catch (error) {
    await close();
    throw error;
  }
}
