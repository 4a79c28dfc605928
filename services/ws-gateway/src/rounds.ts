import type { Logger } from "pino";

/** Work that is done again and again, never twice at the same time. */
export interface Round {
  stop(): void;
}

/**
 * Does something every so many milliseconds, and sooner again after it failed if told so; says once when it begins to fail, and once
 * when it works again.
 */
export function everyMs(
  ms: number,
  what: string,
  log: Logger,
  run: () => Promise<void> | void,
  { failing: afterFailure = false, retryMs = ms }: { readonly failing?: boolean; readonly retryMs?: number } = {},
): Round {
  let failing = afterFailure;
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
    if (!stopped) timer = setTimeout(turn, failing ? retryMs : ms).unref();
  };
  let timer = setTimeout(turn, failing ? retryMs : ms).unref();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
