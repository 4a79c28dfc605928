import type { Changes, LeftStore, StatusStore, Turns } from "../ports.ts";
import { type Statuses, visibleAt } from "./statuses.ts";

/** How much is written in one round. */
const BATCH = 1_000;
const BATCHES = 5;
/** One instance writes in a second. */
const TURN_MS = 900;

/** What writing down who was last seen when needs. */
export interface LastSeenNeeds {
  readonly left: LeftStore;
  readonly statusStore: StatusStore;
  readonly statuses: Statuses;
  readonly changes: Changes;
  readonly turns: Turns;
}

/** One round of writing when those who have gone were last seen; called every second. Who was invisible isn't moved. */
export async function writeLastSeen({ left, statusStore, statuses, changes, turns }: LastSeenNeeds): Promise<void> {
  if (!(await turns.take("last-seen", TURN_MS))) return;
  for (let batch = 0; batch < BATCHES; batch++) {
    const waiting = await left.waiting(BATCH);
    if (waiting.size === 0) return;
    const stored = await statusStore.read([...waiting.keys()]);
    const visible = [...waiting].filter(([userId, leftMs]) => {
      const status = stored.get(userId);
      return status !== undefined && visibleAt(status, leftMs);
    });
    await statusStore.seen(new Map(visible));
    for (const [userId] of visible) statuses.forget(userId);
    await left.written(waiting);
    // Other instances may have shown an older time.
    await changes.mark(visible.map(([userId]) => userId));
    if (waiting.size < BATCH) return;
  }
}
