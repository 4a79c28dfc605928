import type { Conversations, GroupStore, MemberStore, Users } from "../ports.ts";

/** What the rules work with. */
export interface GroupPorts {
  readonly groups: GroupStore;
  readonly members: MemberStore;
  readonly users: Users;
  readonly conversations: Conversations;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new UUIDv7. */
  readonly newId: () => string;
}

/** The limits that the rules keep. */
export interface GroupLimits {
  readonly maxMembers: number;
}

export type GroupContext = GroupPorts & GroupLimits;
