import type { Logger } from "pino";

/** Work that is done again and again, never twice at the same time. */
export interface Round {
  stop(): void;
}

/** Does something every so many milliseconds; says once when it begins to fail, and once when it works again. */
export function everyMs(ms: number, what: string, log: Logger, run: () => Promise<void> | void): Round {
  let failing = false;
  let stopped = false;
  const turn = async () => {
    try {
      await run();
      if (failing) log.info({ what }, "works again");
      failing = false;
    } catch (cause) {
      if (!failing) log.warn({ err: cause, what }, "does not work for now");
      failing = true;
    }
    if (!stopped) timer = setTimeout(turn, ms).unref();
  };
  let timer = setTimeout(turn, ms).unref();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
