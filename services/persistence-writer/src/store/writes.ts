import { isDuplicateKey } from "@oceanchat/runtime/mongo";
import {
  type AnyBulkWriteOperation,
  type Collection,
  type Document,
  MongoBulkWriteError,
  type OptionalUnlessRequiredId,
} from "mongodb";
import { refusal } from "./refusal.ts";

/** Runs a write for a limited time. */
export type InTime = (
  write: (options: { readonly ordered: false; readonly signal: AbortSignal }) => Promise<unknown>,
) => Promise<void>;

/**
 * Gives a write up after a time, in milliseconds. The driver waits for ever to write to a socket that it has closed itself,
 * whatever its own timeouts are; but it heeds a signal at every step, though its types name one only for reads.
 */
export const inTimeOf =
  (writeMs: number): InTime =>
  async (write) => {
    const deadline = new AbortController();
    const late = () => deadline.abort(new Error(`the store did not answer in ${writeMs} ms`));
    const timer = setTimeout(late, writeMs);
    try {
      await write({ ordered: false, signal: deadline.signal });
    } finally {
      clearTimeout(timer);
    }
  };

/** How many updates go at once: each is a write of its own to the store, and all of them must come within the time. */
const MAX_UPDATES = 500;

/** Makes updates, in any order. Returns how many documents they have found. */
export async function updateAll<T extends Document>(
  to: Collection<T>,
  updates: AnyBulkWriteOperation<T>[],
  inTime: InTime,
): Promise<number> {
  let matched = 0;
  try {
    for (let from = 0; from < updates.length; from += MAX_UPDATES) {
      const some = updates.slice(from, from + MAX_UPDATES);
      await inTime(async (options) => {
        matched += (await to.bulkWrite(some, options)).matchedCount;
      });
    }
    return matched;
  } catch (error) {
    const [first] = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
    throw first === undefined ? error : refusal(first, error);
  }
}

/** Inserts what it can. Returns the positions of those that break a unique index. */
export async function insertAll<T extends Document>(
  to: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
  inTime: InTime,
): Promise<readonly number[]> {
  if (documents.length === 0) return [];
  try {
    await inTime((options) => to.insertMany(documents, options));
    return [];
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error;
    const errors = [error.writeErrors].flat();
    // A lost connection looks the same, but for the documents that it says nothing about.
    const answered = error.insertedCount + errors.length === documents.length;
    if (!answered || error.result.getWriteConcernError() !== undefined) throw error;
    const other = errors.find((each) => !isDuplicateKey(each));
    if (other !== undefined) throw refusal(other, error);
    return errors.map(({ index }) => index);
  }
}

/** The new value when the record is newer than the one that the field is from (a missing number is below every other). */
export function ifNewer(seq: bigint, seqField: string, value: unknown, field: string): Document {
  return { $cond: [{ $gt: [seq, `$${seqField}`] }, { $literal: value }, `$${field}`] };
}
