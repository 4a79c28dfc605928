import type { Attack } from "./attack.ts";
import { flood } from "./flood.ts";
import { continuations, fragments, oversized, unmasked } from "./frames.ts";
import type { AttackName } from "./names.ts";
import { neverReadsAtGateway, neverReadsThroughEdge } from "./never-reads.ts";
import { resets } from "./resets.ts";
import { halfOpen, slowHeaders, waiting } from "./waiting.ts";

/** Every attack. */
export const ATTACKS: Readonly<Record<AttackName, Attack>> = {
  waiting,
  "slow-headers": slowHeaders,
  "half-open": halfOpen,
  unmasked,
  fragments,
  continuations,
  oversized,
  resets,
  "never-reads": neverReadsAtGateway,
  "never-reads-edge": neverReadsThroughEdge,
  flood,
};
