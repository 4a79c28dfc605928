export type Role = "owner" | "admin" | "member";

/** How a group works. */
export interface Settings {
  readonly joinPolicy: "open" | "approval" | "inviteOnly";
  readonly membersMayInvite: boolean;
  readonly membersMayMentionAll: boolean;
  readonly openHistory: boolean;
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
  /** Grows with each change of the member list, from 1. */
  readonly version: bigint;
  readonly createTime: Date;
  /** The first members, until they and the group's first record are stored: what a crash interrupted is finished with them. */
  readonly pendingMemberIds?: readonly string[];
}

export interface Member {
  readonly groupId: string;
  readonly userId: string;
  readonly role: Role;
  readonly nickname: string;
  /** Until when he may not write. */
  readonly mutedUntil?: Date;
  readonly joinTime: Date;
  /** The first record that he may read. */
  readonly fromSeq: bigint;
  /** The last one; absent while the membership lasts. */
  readonly toSeq?: bigint;
}

export interface GroupStore {
  /** False when the creator has used the idempotency key before. */
  createGroup(group: Group): Promise<boolean>;
  groupByClientId(creatorUserId: string, clientGroupId: string): Promise<Group | undefined>;
  group(groupId: string): Promise<Group | undefined>;
  /** Those that exist, in no particular order. */
  groups(groupIds: readonly string[]): Promise<Group[]>;
  /** Forgets `pendingMemberIds`. */
  created(groupId: string): Promise<void>;
  /** Groups whose creation isn't finished, the oldest first. */
  unfinished(limit: number): Promise<Group[]>;
}

export interface MemberStore {
  /** Who is there already stays as he is. */
  addMembers(members: readonly Member[]): Promise<void>;
  /** Also one who has left. */
  member(groupId: string, userId: string): Promise<Member | undefined>;
  /** Those whose membership lasts, by user id. */
  members(groupId: string, afterUserId: string, limit: number): Promise<Member[]>;
  memberIds(groupId: string, afterUserId: string, limit: number): Promise<string[]>;
  /** A user's memberships that last, by group id. */
  memberships(userId: string, afterGroupId: string, limit: number): Promise<Member[]>;
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
  /** Appends that users came in; a repeat with the same key appends nothing. */
  appendJoined(
    record: {
      readonly groupId: string;
      readonly idempotencyKey: string;
      readonly joined: readonly string[];
      readonly actorUserId: string;
      readonly version: bigint;
    },
    origin: Origin,
  ): Promise<void>;
}
