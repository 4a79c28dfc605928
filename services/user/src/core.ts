import { shared } from "@oceanchat/runtime/fail";
import { checkPresence } from "./core/check-presence.ts";
import { DirectChecks } from "./core/direct-checks.ts";
import { DirectRevisions } from "./core/direct-revisions.ts";
import { searchUsers } from "./core/search.ts";
import { errors } from "./errors.ts";
import type {
  Journal,
  Pair,
  Profile,
  ProfileChange,
  ProfileStore,
  RelationStore,
  RevisionStore,
  Settings,
  Watchers,
} from "./ports.ts";

/** What the rules work with. */
export interface UserPorts {
  readonly profiles: ProfileStore;
  readonly relations: RelationStore;
  readonly revisions: RevisionStore;
  readonly watchers: Watchers;
  readonly journal: Journal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds that never jump. */
  readonly steady: () => number;
}

/** The rules of profiles, settings and who may write to whom. */
export type UserCore = ReturnType<typeof createUserCore>;

/** Binds the rules to what they work with. */
export function createUserCore({ profiles, relations, revisions, watchers, journal, now, steady }: UserPorts) {
  const direct = new DirectRevisions(revisions, journal, steady);
  const checks = new DirectChecks(profiles, relations, direct);
  const found = <T>(value: T | undefined): T => {
    if (value === undefined) throw errors.userNotFound();
    return value;
  };
  return {
    createProfile: ({ userId, username, displayName }: Pick<Profile, "userId" | "username" | "displayName">) =>
      profiles.createProfile({
        userId,
        username,
        displayName: displayName.trim() || username,
        avatarUrl: "",
        bio: "",
        createTime: new Date(now()),
      }),
    profile: async (userId: string) => found((await profiles.profiles([userId]))[0]),
    profilesOf: (userIds: readonly string[]) => profiles.profiles(userIds),
    updateProfile: async (userId: string, change: ProfileChange) =>
      found(await profiles.updateProfile(userId, checkedChange(change))),
    settings: async (userId: string) => found(await profiles.settings(userId)),
    async updateSettings(userId: string, change: Partial<Settings>) {
      const write = () => profiles.updateSettings(userId, change);
      const settings = found(await (change.directPolicy === undefined ? write() : direct.changing([userId], write)));
      if (change.presencePolicy !== undefined || change.hideLastSeen !== undefined) await watchers.review(userId);
      return settings;
    },
    search: (query: string, page: Parameters<typeof searchUsers>[2]) => searchUsers(profiles, query, page),
    friendsAmong: (userId: string, others: readonly string[]) => relations.friendsAmong(userId, others),
    checkPresence: (pairs: readonly Pair[]) => checkPresence(profiles, relations, pairs),
    checkDirect: (senderId: string, recipientId: string) => checks.check(senderId, recipientId),
    directRevisions: () => direct.read(),
  };
}

function checkedChange(change: ProfileChange): ProfileChange {
  if (change.displayName === undefined) return change;
  const displayName = change.displayName.trim();
  if (displayName === "") throw shared.invalidFields([{ field: "display_name", description: "must not be blank" }]);
  return { ...change, displayName };
}
