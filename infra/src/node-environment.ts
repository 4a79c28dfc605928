import { join } from "node:path";
import { type Layout, layoutOf } from "./layout.ts";

/**
 * What the node of a service finds in its environment, whatever the service. The compile cache: a second start strips no types and
 * doesn't load what strips them, 20 MB. One arena of malloc: others would be for the threads of V8 and libuv, which need little, and
 * keep 3 MB.
 */
export function nodeEnvironment(layout: Layout = layoutOf()): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(layout.state, "compile-cache"), MALLOC_ARENA_MAX: "1" };
}
