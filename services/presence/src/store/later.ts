import { setTimeout } from "node:timers/promises";
import { shared } from "@oceanchat/runtime/fail";
import { type MongoOptions, openMongo } from "@oceanchat/runtime/mongo";
import type { StatusStore } from "../ports.ts";
import { openStatuses } from "./statuses.ts";

/** Statuses that are there as soon as the store is. */
export interface LaterStatuses {
  readonly statuses: StatusStore;
  close(): Promise<void>;
}

interface Opened {
  readonly statuses: StatusStore;
  close(): Promise<void>;
}

const PAUSE_MS = 1_000;

/**
 * Opens the statuses without waiting for them: who is where must be known also while the document store is away. Until it is there
 * every call is UNAVAILABLE.
 */
export function openStatusesLater(options: MongoOptions): LaterStatuses {
  const ending = new AbortController();
  let opened: Opened | undefined;
  const opening = (async () => {
    while (!ending.signal.aborted) {
      try {
        opened = await openMongo(options, async (db) => ({ statuses: await openStatuses(db) }));
        return;
      } catch (error) {
        options.log.warn({ err: error }, "statuses can't be read yet");
        await setTimeout(PAUSE_MS, undefined, { signal: ending.signal }).catch(() => {}); // ended: the loop sees it
      }
    }
  })();
  const there = (): StatusStore => {
    if (opened === undefined) throw shared.unavailable("statuses can't be read yet");
    return opened.statuses;
  };
  return {
    statuses: {
      read: async (userIds) => there().read(userIds),
      set: async (userId, choice, seenMs) => there().set(userId, choice, seenMs),
      seen: async (lastSeenMs) => there().seen(lastSeenMs),
      ending: async (after, untilMs, limit) => there().ending(after, untilMs, limit),
    },
    async close() {
      ending.abort();
      if (opened !== undefined) await opened.close();
      else void opening.then(() => opened?.close()); // it isn't waited for: it may take as long as the store is away
    },
  };
}
