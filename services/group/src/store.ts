import { openMongo } from "./mongo.ts";
import type { GroupStore, MemberStore } from "./ports.ts";
import { openGroups } from "./store/groups.ts";
import { openMembers } from "./store/members.ts";

/** Everything that group owns. */
export interface Store {
  readonly groups: GroupStore;
  readonly members: MemberStore;
  close(): Promise<void>;
}

/** Connects and makes sure of the indexes. */
export async function openStore(options: Parameters<typeof openMongo>[0]): Promise<Store> {
  const { db, close } = await openMongo(options);
  try {
    const [groups, members] = await Promise.all([openGroups(db), openMembers(db)]);
    return { groups, members, close };
  } catch (error) {
    await close();
    throw error;
  }
}
