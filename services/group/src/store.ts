import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
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
export const openStore = (options: MongoOptions): Promise<Store> =>
  openMongo(options, async (db) => {
    const [groups, members] = await Promise.all([openGroups(db), openMembers(db)]);
    return { groups, members };
  });
