import type { Conversations, GroupStore, MemberStore, Users } from "../ports.ts";
import type { GroupTurns } from "./turns.ts";

/** What the rules work with. */
export interface GroupPorts {
  readonly groups: GroupStore;
  readonly members: MemberStore;
  readonly users: Users;
  readonly conversations: Conversations;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after so many milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  /** A new UUIDv7. */
  readonly newId: () => string;
}

/** The limits that the rules keep. */
export interface GroupLimits {
  readonly maxMembers: number;
}

export interface GroupContext extends GroupPorts, GroupLimits {
  readonly turns: GroupTurns;
}
