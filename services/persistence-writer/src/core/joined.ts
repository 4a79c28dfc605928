import type { WriterCore, Written } from "../core.ts";
import type { WritableEntry } from "./entry.ts";

interface Part {
  readonly entries: readonly WritableEntry[];
  readonly resolve: (written: readonly Written[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes what several lanes have in the same turn as one batch of at most so many entries: most of what a small batch costs the store
 * is paid for each statement. When the batch fails, each lane's part is written by itself: none of them fails for another's
 * records.
 */
export function joinedWrites(core: WriterCore, maxEntries: number): WriterCore {
  let parts: Part[] = [];
  let count = 0;
  const flush = () => {
    const joined = parts;
    parts = [];
    count = 0;
    void writeParts(core, joined);
  };
  return {
    write: (entries) =>
      new Promise((resolve, reject) => {
        if (count + entries.length > maxEntries) flush();
        if (parts.length === 0) queueMicrotask(flush);
        parts.push({ entries, resolve, reject });
        count += entries.length;
      }),
  };
}

/** Never rejects. */
async function writeParts(core: WriterCore, parts: readonly Part[]): Promise<void> {
  if (parts.length > 1) {
    try {
      const written = await core.write(parts.flatMap(({ entries }) => entries));
      let from = 0;
      for (const { entries, resolve } of parts) {
        resolve(written.slice(from, from + entries.length));
        from += entries.length;
      }
      return;
    } catch {
      // What was written is found to be there; the reason comes again with the part that it belongs to.
    }
  }
  await Promise.all(parts.map(({ entries, resolve, reject }) => core.write(entries).then(resolve, reject)));
}
