import { randomFillSync } from "node:crypto";
import { v7 } from "uuid";

const ID_BYTES = 16;
const IDS = 256;

/**
 * Makes UUIDv7s, with randomness for 256 of them fetched at once: fetching it for each takes longer than all the rest of making one.
 * Those of the same millisecond are in no order; records have theirs from the log.
 */
export function openRecordIds(): () => string {
  const pool = new Uint8Array(ID_BYTES * IDS);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const random = pool.subarray(used, used + ID_BYTES);
    used += ID_BYTES;
    return v7({ random });
  };
}
