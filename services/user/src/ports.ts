/** A user as others see him. */
export interface Profile {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string;
  readonly bio: string;
  readonly createTime: Date;
}

/** What a user may change of his profile. */
export type ProfileChange = Partial<Pick<Profile, "displayName" | "avatarUrl" | "bio">>;

/** A user's personal settings. */
export interface Settings {
  /** Who may write to him directly. */
  readonly directPolicy: "everyone" | "friends";
  readonly hideLastSeen: boolean;
  readonly hideFromSearch: boolean;
  /** Who sees whether he is here. */
  readonly presencePolicy: "everyone" | "friends" | "nobody";
}

/** Two users; which is which matters where it says so. */
export interface Pair {
  readonly a: string;
  readonly b: string;
}

/** A place among users ordered by what their display name is searched by. */
export interface DisplayNamePlace {
  readonly displayNameKey: string;
  readonly userId: string;
}

export interface ProfileStore {
  /** The profile, or the one that is there already. */
  createProfile(profile: Profile): Promise<Profile>;
  /** Those that exist, in no particular order. */
  profiles(userIds: readonly string[]): Promise<Profile[]>;
  /** The profile as it is then; undefined when there is none. */
  updateProfile(userId: string, change: ProfileChange): Promise<Profile | undefined>;
  settings(userId: string): Promise<Settings | undefined>;
  /** By user; those who exist. */
  settingsOf(userIds: readonly string[]): Promise<ReadonlyMap<string, Settings>>;
  updateSettings(userId: string, change: Partial<Settings>): Promise<Settings | undefined>;
  /** Searchable users whose username begins with the prefix, by username. */
  byUsername(prefix: string, afterUsername: string, limit: number): Promise<Profile[]>;
  /** Searchable users whose display name begins with the prefix and whose username doesn't, by display name. */
  byDisplayName(prefix: string, after: DisplayNamePlace | undefined, limit: number): Promise<Profile[]>;
}

/** How often anything that says who may write to the users of a slot has changed. */
export interface Revisions {
  /** Slots of which nothing has ever changed are left out. */
  readonly counts: ReadonlyMap<number, number>;
  /** Changes that have begun and not ended, or were never noted to have: their slots, by what they are called. */
  readonly open: ReadonlyMap<string, readonly number[]>;
}

export interface RevisionStore {
  read(): Promise<Revisions>;
  /** Counts a change of those slots and notes it as open. Gives what it is called. */
  begin(slots: readonly number[]): Promise<string>;
  /** Notes that a change has ended, or that it can't be under way any more. */
  end(change: string): Promise<void>;
}

/** What an operator should know. */
export interface Journal {
  /** A change stays noted as open although it has ended. */
  changeStaysOpen(error: unknown): void;
}

/** Who looks at whom, as presence knows it. */
export interface Watchers {
  /** Has whoever watches a user shown what he may see now. Never rejects: if it fails, he is with the user's next change. */
  review(userId: string): Promise<void>;
}

export interface RelationStore {
  /** Those of the pairs, the same objects, of whom one blocks the other. */
  blockedPairs(pairs: readonly Pair[]): Promise<ReadonlySet<Pair>>;
  /** Those of the pairs, the same objects, who are friends. */
  friendPairs(pairs: readonly Pair[]): Promise<ReadonlySet<Pair>>;
  /** Those of the others who are friends of the user. */
  friendsAmong(userId: string, otherUserIds: readonly string[]): Promise<string[]>;
}
