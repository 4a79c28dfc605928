/**
 * Joins calls that ask the same: one at a time, and whoever calls while one is under way gets the next one's answer, together with
 * all who called meanwhile. So nobody gets an answer to a question that was asked before he called.
 */
export function joinedCalls<T>(ask: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    const call = ask().finally(() => {
      if (running === call) running = undefined;
    });
    running = call;
    return call;
  };
  const afterwards = async (current: Promise<T>): Promise<T> => {
    await current.catch(() => undefined); // its own callers hear of it
    next = undefined;
    return begin();
  };
  return () => {
    if (running === undefined) return begin();
    next ??= afterwards(running);
    return next;
  };
}
