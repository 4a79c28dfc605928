import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Gives back what only the start needed, once a process has started: some 25 MB of a service's memory, for about 100 ms of CPU. Loading
 * modules makes V8's young generation grow to its limit, and an idle process would not make it smaller by itself. Under load it grows
 * again.
 */
export function collectStartGarbage(): void {
  // Node hands out its collector only where this flag is set; what else is started must not find it.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  // "last-resort" is the one kind that shrinks the young generation and gives the pages back.
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
