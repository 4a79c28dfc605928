import { hash } from "@oceanchat/runtime/rendezvous";

/** Many enough that a change makes few other answers be asked for again, few enough that all their revisions are a small answer. */
export const SLOTS = 256;

/** The slot of a user. */
export const slotOf = (userId: string): number => hash(userId) % SLOTS;
