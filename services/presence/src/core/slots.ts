import { crc32 } from "node:zlib";

/** Many enough that a user who connects makes few others be read again, few enough that all their stamps are a small answer. */
const SLOTS = 256;

/** The slot of a user. */
export const slotOf = (userId: string): number => crc32(userId) % SLOTS;
