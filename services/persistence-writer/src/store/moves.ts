import type { Collection, Document, Filter, OptionalUnlessRequiredId } from "mongodb";
import { type InTime, insertAll, updateAll } from "./writes.ts";

/**
 * How many documents one statement moves: one commit for all of them, but each is looked up among half of them. With records of the
 * largest size it takes 4 MB, of the 16 that there may be.
 */
const MAX_DOCUMENTS = 64;

/** A document of which there is one for each thing that moves. */
interface MovingDocument extends Document {
  readonly _id: string;
}

/** Documents that move forward. */
export interface Moves<T extends MovingDocument> {
  /** Where each has come, once: as it is made when there is none yet. */
  readonly documents: readonly OptionalUnlessRequiredId<T>[];
  /** The fields of one that is there, as expressions: `$moved` is where it has come. They compare, so that it never goes back. */
  readonly forward: Document;
}

/**
 * Moves documents, and makes those that are missing. Not by upserts: each is a write of its own, which costs the store three times as
 * much. (Nobody takes such documents away.)
 */
export async function moveAll<T extends MovingDocument>(
  to: Collection<T>,
  { documents, forward }: Moves<T>,
  inTime: InTime,
): Promise<void> {
  for (let from = 0; from < documents.length; from += MAX_DOCUMENTS) {
    const some = documents.slice(from, from + MAX_DOCUMENTS);
    const moved = await move(to, some, forward, inTime);
    if (moved === some.length) continue;
    const made = await makeMissing(to, some, inTime);
    // Another writer has made some of them in between.
    if (moved + made < some.length) await move(to, some, forward, inTime);
  }
}

/** In one statement. Returns how many were there. */
function move<T extends MovingDocument>(
  to: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
  forward: Document,
  inTime: InTime,
): Promise<number> {
  const ids = documents.map(({ _id }) => _id);
  const moved = { $arrayElemAt: [{ $literal: documents }, { $indexOfArray: [{ $literal: ids }, "$_id"] }] };
  const update = [{ $set: { moved } }, { $set: forward }, { $unset: "moved" }];
  return updateAll(to, [{ updateMany: { filter: named<T>(ids), update } }], inTime);
}

/** Returns how many it has made. */
async function makeMissing<T extends MovingDocument>(
  to: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
  inTime: InTime,
): Promise<number> {
  const there = new Set<string>();
  await inTime(async () => {
    const found = to.find(named<T>(documents.map(({ _id }) => _id)), { projection: { _id: 1 } });
    for (const { _id } of await found.toArray()) there.add(_id);
  });
  const missing = documents.filter(({ _id }) => !there.has(_id));
  const refused = await insertAll(to, missing, inTime);
  return missing.length - refused.length;
}

const named = <T extends MovingDocument>(ids: readonly string[]) => ({ _id: { $in: ids } }) as Filter<T>;
