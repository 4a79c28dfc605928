import type { WritableEntry } from "./core/entry.ts";
import { changesOf } from "./core/fold.ts";
import { headsOf, userConversationsOf } from "./core/heads.ts";
import { additionsOf } from "./core/tail.ts";
import type { RecordRow, Store, Tail } from "./ports.ts";

/**
 * What became of an entry:
 * - `stored`: it is in the store, now or from before;
 * - `repeated`: it is in the store, but its sender's `client_message_id` was used before, by another record;
 * - `contradicted`: not stored, the store holds something else in its place; the log contradicts itself.
 */
export type Written =
  | { readonly kind: "stored" }
  | { readonly kind: "repeated" }
  | { readonly kind: "contradicted"; readonly reason: string };

/** The rules of writing. */
export interface WriterCore {
  /** Stores a batch; one answer per entry. Rejects when the store can't be reached: then the same batch must come again. */
  write(entries: readonly WritableEntry[]): Promise<readonly Written[]>;
}

export function createWriterCore(store: Store, tail: Tail): WriterCore {
  return {
    async write(entries) {
      const rows = entries.map(({ row }) => row);
      const written: Written[] = rows.map(() => ({ kind: "stored" }));
      // Before the records themselves: whoever finds a record in the store may rely on it that what it changes is there too.
      await store.apply(changesOf(entries));
      for (const [index, answer] of await explain(store, rows, await store.insert(rows))) written[index] = answer;
      const inStore = entries.filter((_, index) => written[index]?.kind !== "contradicted");
      await Promise.all([
        store.moveHeads(headsOf(inStore)),
        store.moveUserConversations(userConversationsOf(inStore)),
        // Not before: what the store refuses must not be read from there.
        tail.add(additionsOf(inStore)),
      ]);
      return written;
    },
  };
}

/** Finds out why rows were refused. Nearly always they are in the store already, from an earlier delivery. */
async function explain(store: Store, rows: readonly RecordRow[], refused: readonly number[]) {
  const answers = new Map<number, Written>();
  if (refused.length === 0) return answers;
  const duplicates = refused.flatMap((index) => {
    const row = rows[index];
    return row === undefined ? [] : [{ index, row }];
  });
  const places = await store.placesOf(duplicates.map(({ row }) => row.recordId));
  const byRecordId = new Map(places.map((place) => [place.recordId, place]));
  for (const { index, row } of duplicates) {
    const place = byRecordId.get(row.recordId);
    if (place === undefined) answers.set(index, await storeRepeated(store, row));
    else if (place.conversationId !== row.conversationId || place.seq !== row.seq) {
      answers.set(index, contradiction(row, `record ${row.recordId} is ${place.conversationId}:${place.seq} already`));
    }
  }
  return answers;
}

/**
 * The record is new, but its place or its sender's key is taken. A key used twice must not make a hole in the
 * conversation: the log has accepted both, so the second is stored without the key.
 */
async function storeRepeated(store: Store, row: RecordRow): Promise<Written> {
  const other = await store.recordAt(row.conversationId, row.seq);
  if (other !== undefined && other !== row.recordId) return contradiction(row, `record ${other} lies there already`);
  const refused = await store.insert([{ ...row, clientMessageId: undefined }]);
  if (refused.length > 0) throw new Error(`${row.conversationId}:${row.seq} was refused and is not there`);
  return { kind: "repeated" };
}

function contradiction(row: RecordRow, reason: string): Written {
  return { kind: "contradicted", reason: `${row.conversationId}:${row.seq} ${row.recordId}: ${reason}` };
}
