/** What a mesh can be attacked with, in the order in which it is. Those that are refused late come first. */
export const ATTACK_NAMES = [
  "waiting",
  "slow-headers",
  "half-open",
  "unmasked",
  "fragments",
  "continuations",
  "oversized",
  "resets",
  "never-reads",
  "never-reads-edge",
  "flood",
] as const;

export type AttackName = (typeof ATTACK_NAMES)[number];
