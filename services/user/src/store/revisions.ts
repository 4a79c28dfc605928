import { randomUUID } from "node:crypto";
import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import type { Collection, Db, UpdateFilter } from "mongodb";
import type { RevisionStore } from "../ports.ts";

/** The one document: all of it is read once a second, and a change of several slots is one step. */
interface RevisionsDocument {
  readonly _id: "direct";
  /** Slot → how often it has changed. */
  readonly counts?: Readonly<Record<string, number>>;
  /** What a change is called → its slots. */
  readonly open?: Readonly<Record<string, readonly number[]>>;
}

const ONE = { _id: "direct" } as const;

/** The collection `direct_revisions`. */
export function openRevisions(db: Db): RevisionStore {
  const revisions: Collection<RevisionsDocument> = db.collection("direct_revisions");
  return {
    async read() {
      const found = await reading(() => revisions.findOne(ONE));
      const counts = Object.entries(found?.counts ?? {});
      return {
        counts: new Map(counts.map(([slot, count]) => [Number(slot), Number(count)])),
        open: new Map(Object.entries(found?.open ?? {})),
      };
    },
    async begin(slots) {
      const change = randomUUID();
      const counted = Object.fromEntries(slots.map((slot) => [`counts.${slot}`, 1]));
      await upsert(revisions, { $inc: counted, $set: { [`open.${change}`]: slots } });
      return change;
    },
    async end(change) {
      await writing(() => revisions.updateOne(ONE, { $unset: { [`open.${change}`]: "" } }));
    },
  };
}

async function upsert(revisions: Collection<RevisionsDocument>, update: UpdateFilter<RevisionsDocument>) {
  try {
    await writing(() => revisions.updateOne(ONE, update, { upsert: true }));
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    await writing(() => revisions.updateOne(ONE, update)); // another instance has just made it
  }
}
