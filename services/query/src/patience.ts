import { Code } from "@connectrpc/connect";
import { ServiceError } from "@oceanchat/runtime/fail";
import { Breaker } from "./breaker.ts";
import type { Patience } from "./ports.ts";

const RULES = { failures: 3, openMs: 1_000 };

/**
 * Waits for a read so long, in milliseconds. After three in a row that were late or UNAVAILABLE the next second's reads aren't waited
 * for at all, but for one.
 */
export function patienceOf(waitMs: number): Patience {
  const breaker = new Breaker(RULES);
  return {
    async attempt<T>(read: () => Promise<T>) {
      if (!breaker.admits(performance.now())) return { inTime: false, whenThere: read };
      const begun = read();
      const late = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => late.resolve(undefined), waitMs);
      const settled = begun.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      const first = await Promise.race([settled, late.promise]);
      clearTimeout(timer);
      if (first !== undefined && "value" in first) {
        breaker.succeeded();
        return { inTime: true, value: first.value };
      }
      if (first !== undefined && !isUnavailable(first.error)) throw first.error;
      breaker.failed(performance.now());
      return { inTime: false, whenThere: () => begun };
    },
  };
}

const isUnavailable = (error: unknown) => error instanceof ServiceError && error.code === Code.Unavailable;
