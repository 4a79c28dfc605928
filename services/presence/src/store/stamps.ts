import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { slotOf } from "../core/slots.ts";
import { unreachable } from "./unreachable.ts";

/** Hash: slot → its stamp. One key, so that many stamps are one question wherever they lie. */
export const STAMPS_KEY = "presence:stamps";

/** The field beside the slots: since when the store has been written to, in milliseconds since the epoch. Lost with everything else. */
export const EPOCH_FIELD = "since";

/** The stamps of slots. */
export interface Stamps {
  /** Gives a user's slot a stamp that no slot ever had. */
  renew(userId: string): Promise<void>;
}

export function createStamps(redis: Redis): Stamps {
  // A count alone would begin anew with each process, and after Redis has lost everything.
  const own = randomBytes(9).toString("base64url");
  let count = 0;
  return {
    async renew(userId) {
      await redis.hset(STAMPS_KEY, String(slotOf(userId)), `${own}${(count++).toString(36)}`).catch(unreachable);
    },
  };
}
