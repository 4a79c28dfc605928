/**
 * The same promise. Whoever awaits it hears when it fails, which may be long after it has: until then its failure must not count as one
 * that nobody handles, which would end the process. Only for promises that somebody does await, or ask again for.
 */
export function heardLater<P extends Promise<unknown> | undefined>(promise: P): P {
  promise?.catch(() => undefined);
  return promise;
}
