import { hash } from "node:crypto";

/**
 * Eight bytes that stand for a longer id, where an index would repeat it many times: the first of its SHA-256. Two ids may have the
 * same key, so whoever looks one up compares the id too.
 */
export function shortKeyOf(id: string): bigint {
  return hash("sha256", id, "buffer").readBigInt64BE(0);
}
