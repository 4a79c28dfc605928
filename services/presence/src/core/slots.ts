import { hash } from "@oceanchat/runtime/rendezvous";

/** Many enough that a user who connects makes few others be read again, few enough that all their stamps are a small answer. */
const SLOTS = 256;

/** The slot of a user. */
export const slotOf = (userId: string): number => hash(userId) % SLOTS;
