import { shared } from "./fail.ts";
import { heardLater } from "./heard-later.ts";

/** How joined look-ups are made. */
export interface LookupRules {
  /** Look-ups under way at the same time; what is asked for meanwhile gathers for the next one. */
  readonly atOnce: number;
  /** Keys of one look-up; a call that asks for more gets several. */
  readonly maxKeys: number;
  /** After so long a look-up is given up as UNAVAILABLE, in milliseconds: one that never ends must not hold up all that come. */
  readonly timeoutMs: number;
}

/** Who waits for keys of a look-up. */
interface Gathered<V> {
  readonly keys: Set<string>;
  readonly found: Promise<ReadonlyMap<string, V>>;
  readonly begin: () => void;
}

/**
 * Joins look-ups by key: what is asked for in one turn of the event loop, and while enough others are under way, becomes one. Each
 * begins after the last of its calls, so nobody gets an answer to a question that was asked before he called. When it fails it fails
 * for all of them. As many keys wait as callers bring: they bound how many they are.
 */
export function joinedLookups<V>(
  look: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>,
  { atOnce, maxKeys, timeoutMs }: LookupRules,
): (keys: readonly string[]) => Promise<ReadonlyMap<string, V>> {
  const waiting: Gathered<V>[] = [];
  let running = 0;
  let isSet = false;

  const gathering = (): Gathered<V> => {
    const last = waiting.at(-1);
    if (last !== undefined && last.keys.size < maxKeys) return last;
    const keys = new Set<string>();
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, V>>();
    let timer: NodeJS.Timeout | undefined;
    const begin = () => {
      timer = setTimeout(() => reject(shared.unavailable(`no answer in ${timeoutMs} ms`)), timeoutMs);
      look([...keys]).then(resolve, reject);
    };
    const found = heardLater(
      promise.finally(() => {
        clearTimeout(timer);
        running--;
        next();
      }),
    );
    const gathered = { keys, found, begin };
    waiting.push(gathered);
    return gathered;
  };

  const next = (): void => {
    while (running < atOnce) {
      const gathered = waiting.shift();
      if (gathered === undefined) return;
      running++;
      gathered.begin();
    }
  };

  const soon = (): void => {
    if (isSet || running >= atOnce) return;
    isSet = true;
    setImmediate(() => {
      isSet = false;
      next();
    });
  };

  return async (keys) => {
    if (keys.length === 0) return new Map();
    const parts = new Set<Gathered<V>>();
    for (const key of keys) {
      const gathered = gathering();
      gathered.keys.add(key);
      parts.add(gathered);
    }
    soon();
    const found = await Promise.all([...parts].map((part) => part.found));
    const own = new Map<string, V>();
    for (const key of keys) {
      for (const part of found) {
        const value = part.get(key);
        if (value !== undefined) own.set(key, value);
      }
    }
    return own;
  };
}
