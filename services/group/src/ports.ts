export type Role = "owner" | "admin" | "member";

/** How a group works. */
export interface Settings {
  readonly joinPolicy: "open" | "approval" | "inviteOnly";
  readonly membersMayInvite: boolean;
  readonly membersMayMentionAll: boolean;
  readonly openHistory: boolean;
}

/** Who came, who went, whose role is another one. */
export interface MembersChange {
  readonly kind: "members";
  readonly joined: readonly string[];
  readonly left: readonly string[];
  readonly removed: readonly string[];
  readonly roles: readonly { readonly userId: string; readonly role: Role }[];
  /** The version of the member list after it. */
  readonly version: bigint;
  readonly memberCount: number;
}

/** A group's own data; absent fields stay. */
export interface DataChange {
  readonly kind: "data";
  readonly name?: string;
  readonly avatarUrl?: string;
  readonly settings?: Partial<Settings>;
  readonly mutedAll?: boolean;
}

/** A change of a group under way: noted before its record is appended to the log, erased when it is applied. */
export interface Change {
  /** The idempotency key of its record is made of it. */
  readonly changeId: string;
  readonly actorUserId: string;
  readonly startTime: Date;
  /** Who comes or goes by it, each once. */
  readonly touched: readonly string[];
  readonly what: MembersChange | DataChange;
}

export interface Group {
  readonly groupId: string;
  /** Who created it, under which idempotency key, with which request (SHA-256). */
  readonly creatorUserId: string;
  readonly clientGroupId: string;
  readonly requestHash: string;
  readonly ownerUserId: string;
  readonly name: string;
  readonly announcement: string;
  readonly avatarUrl: string;
  readonly settings: Settings;
  readonly mutedAll: boolean;
  readonly memberCount: number;
  /** Grows by one with each change of the member list; 0 until the creation is finished. */
  readonly version: bigint;
  readonly createTime: Date;
  /** The last change that was applied: what the next one is compared with. */
  readonly lastChangeId?: string;
  /** One at a time: the next change begins when this one is applied. */
  readonly pending?: Change;
}

/** A stretch of a conversation; both ends belong to it. */
export interface Stretch {
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
}

export interface Member {
  readonly groupId: string;
  readonly userId: string;
  readonly role: Role;
  readonly nickname: string;
  /** Until when he may not write. Outlives the membership, so that coming back doesn't end a mute. */
  readonly mutedUntil?: Date;
  readonly joinTime: Date;
  /** The record that let him in: the first that he may read. */
  readonly fromSeq: bigint;
  /** The record that ended it: the last one; absent while the membership lasts. */
  readonly toSeq?: bigint;
  /** When that was. */
  readonly endTime?: Date;
  /** Memberships of before, in ascending order, with something between each two. */
  readonly earlier?: readonly Stretch[];
  /** The last record of the log that has changed him. */
  readonly changedSeq?: bigint;
}

/** What a record makes of a member. */
export interface MemberChange {
  readonly userId: string;
  readonly fields: Partial<Member>;
  /** Whether he came back: an ended membership lasts again. */
  readonly cameBack: boolean;
}

export interface GroupStore {
  /** False when the creator has used the idempotency key before. */
  createGroup(group: Group): Promise<boolean>;
  groupByClientId(creatorUserId: string, clientGroupId: string): Promise<Group | undefined>;
  group(groupId: string): Promise<Group | undefined>;
  /** Those that exist, in no particular order. */
  groups(groupIds: readonly string[]): Promise<Group[]>;
  /** Those of the groups whose history is open. */
  withOpenHistory(groupIds: readonly string[]): Promise<string[]>;
  /** Notes a change. False when the group isn't any more as it was read, or another change is under way. */
  begin(group: Group, change: Change): Promise<boolean>;
  /** Sets the fields and erases the note, unless that is done already. */
  applied(groupId: string, changeId: string, fields: Partial<Group>): Promise<void>;
  /** Erases the note of a change that will never be; a group that is being created goes with it. */
  abandon(groupId: string, changeId: string): Promise<void>;
  /** Groups with a change under way, the oldest change first. */
  unfinished(limit: number): Promise<Group[]>;
  /** Groups that one of the users is about to come into or to go from. */
  unfinishedOf(userIds: readonly string[], limit: number): Promise<Group[]>;
}

export interface MemberStore {
  /** Who is there already stays as he is. */
  addMembers(members: readonly Member[]): Promise<void>;
  /** Changes those whom neither this record nor a later one has changed yet. */
  changeMembers(groupId: string, seq: bigint, changes: readonly MemberChange[]): Promise<void>;
  /** Sets what isn't in the log; `mutedUntil: null` ends a mute. Undefined when he isn't a member. */
  setMember(
    groupId: string,
    userId: string,
    fields: { readonly nickname?: string; readonly mutedUntil?: Date | null },
  ): Promise<Member | undefined>;
  /** Also one who has left. */
  member(groupId: string, userId: string): Promise<Member | undefined>;
  /** Those of the users who are or were members, in no particular order. */
  membersOf(groupId: string, userIds: readonly string[]): Promise<Member[]>;
  /** Those whose membership lasts, by user id. */
  members(groupId: string, afterUserId: string, limit: number): Promise<Member[]>;
  memberIds(groupId: string, afterUserId: string, limit: number): Promise<string[]>;
  /** A user's memberships that last, by group id. */
  memberships(userId: string, afterGroupId: string, limit: number): Promise<Member[]>;
  /** Those that ended at that time or later, by group id. */
  endedMemberships(userId: string, since: Date, afterGroupId: string, limit: number): Promise<Member[]>;
  /** Memberships of users that last, by user id; whose are cut off is the last user. */
  membershipsOfUsers(userIds: readonly string[], limit: number): Promise<Member[]>;
  /** Those that ended at that time or later, likewise. */
  endedMembershipsOfUsers(userIds: readonly string[], since: Date, limit: number): Promise<Member[]>;
}

/** What is known of the call that a command came with. */
export interface Origin {
  readonly traceparent: string;
  readonly requestId: string;
}

export interface Users {
  /** Those of the users who don't exist. */
  unknown(userIds: readonly string[], origin: Origin): Promise<string[]>;
}

export interface Conversations {
  /**
   * Appends a change's record to the group's conversation and says where it lies; a repeat appends nothing and says the same.
   * `attempt` is more than 1 when it may have been appended before.
   */
  append(
    record: { readonly groupId: string; readonly change: Change; readonly attempt: number },
    origin: Origin,
  ): Promise<{ readonly seq: bigint; readonly time: Date }>;
}
