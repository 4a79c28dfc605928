import { setTimeout as sleep } from "node:timers/promises";

/** How fast to ask for things that are limited: by the edge per address, by the hashing of passwords per core. */
export interface Pace {
  readonly perSecond: number;
  readonly atOnce: number;
}

/** Runs one task per item, in order of the items, not faster than the pace; the first failure ends it. */
export async function paced<T, R>(
  items: readonly T[],
  pace: Pace,
  run: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const began = performance.now();
  const queue = items.entries(); // shared: each worker takes the next
  let failed = false;
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      const wait = began + (index * 1000) / pace.perSecond - performance.now();
      if (wait > 0) await sleep(wait);
      if (failed) return;
      results[index] = await run(item, index);
    }
  };
  const workers = Array.from({ length: Math.min(pace.atOnce, items.length) }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    failed = true; // the others finish what they have begun
    await Promise.allSettled(workers);
    throw error;
  }
  return results;
}
