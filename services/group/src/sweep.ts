import type { Logger } from "pino";
import type { GroupCore } from "./core.ts";

const AT_ONCE = 100;

/**
 * Finishes groups whose creation was interrupted: at once, then every `intervalMs`. Several instances may do so at the
 * same time, since every step can be repeated. Returns what ends it.
 */
export function startSweep(core: GroupCore, log: Logger, intervalMs = 15_000): () => Promise<void> {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running = sweep();
  async function sweep(): Promise<void> {
    try {
      const { finished, failures } = await core.finishUnfinished(AT_ONCE);
      if (finished > 0) log.info({ finished }, "finished groups that were half created");
      for (const { groupId, error } of failures) log.warn({ err: error, groupId }, "a group can't be finished yet");
    } catch (error) {
      log.warn({ err: error }, "unfinished groups can't be looked for");
    }
    if (stop.signal.aborted) return;
    timer = setTimeout(() => {
      running = sweep();
    }, intervalMs);
  }
  return async () => {
    stop.abort();
    clearTimeout(timer);
    await running;
  };
}
