import { setImmediate, setTimeout } from "node:timers/promises";

/** How many connections are visited at a time. */
export const SLICE = 500;

/** Walks through something long without keeping the event loop from other work. */
export async function inSlices<T>(items: Iterable<T>, size: number, visit: (item: T) => void): Promise<void> {
  let left = size;
  for (const item of items) {
    visit(item);
    if (--left > 0) continue;
    left = size;
    await setImmediate();
  }
}

/** All items in a random order. */
export function shuffled<T>(items: Iterable<T>): T[] {
  const keyed = Array.from(items, (item) => ({ item, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

/** How often something that is spread over time goes on. */
const STEP_MS = 50;

/** Visits all items evenly within a time. */
export async function spreadOver<T>(items: readonly T[], ms: number, visit: (item: T) => void): Promise<void> {
  const steps = Math.max(1, Math.floor(ms / STEP_MS));
  const size = Math.ceil(items.length / steps);
  for (let at = 0; at < items.length; at += size) {
    if (ms > 0) await setTimeout(STEP_MS);
    await inSlices(items.slice(at, at + size), SLICE, visit);
  }
}
