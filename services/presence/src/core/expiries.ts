import type { Changes, Ending, StatusStore, Turns } from "../ports.ts";

/** How much is looked at in one turn. */
const BATCH = 500;
const BATCHES = 40;
/** One instance looks in a second. */
const TURN_MS = 900;
/** An instance that starts goes back so far: nobody may have looked meanwhile. */
const BACK_MS = 300_000;

/** Notes whose status has ended, in turns; each instance remembers how far it is, so that none is left out. */
export function createExpiries(needs: {
  readonly statusStore: Pick<StatusStore, "ending">;
  readonly changes: Changes;
  readonly turns: Turns;
  readonly now: () => number;
}): () => Promise<void> {
  const { statusStore, changes, turns, now } = needs;
  let place: Ending = { userId: "", timeMs: now() - BACK_MS };
  return async () => {
    if (!(await turns.take("expiries", TURN_MS))) return;
    const untilMs = now();
    for (let batch = 0; batch < BATCHES; batch++) {
      const ended = await statusStore.ending(place, untilMs, BATCH);
      await changes.mark(ended.map(({ userId }) => userId));
      place = ended.at(-1) ?? place;
      if (ended.length < BATCH) return;
    }
  };
}
