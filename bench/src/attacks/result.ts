import type { LatencySummary } from "../latency.ts";
import type { Attacked, AttackMemory, AttackSeen } from "./campaign.ts";

/** How long messages took. */
export interface PhaseTimes {
  readonly ack: LatencySummary;
  readonly delivery: LatencySummary;
}

/** An attack and what others noticed of it. */
export interface AttackResult extends AttackSeen, PhaseTimes {}

/** All attacks of a run. */
export interface AttackResults {
  readonly calmCpus: number;
  readonly before: PhaseTimes;
  readonly attacks: readonly AttackResult[];
  readonly after: PhaseTimes;
}

/** Puts together what was seen of attacks and the latencies of the phases; undefined when there were none. */
export function attackResults(seen: Attacked | undefined, phases: readonly PhaseTimes[]): AttackResults | undefined {
  const [before, ...others] = phases;
  const after = others.pop();
  if (seen === undefined || before === undefined || after === undefined) return undefined;
  const attacks = seen.attacks.flatMap((one, index) => {
    const times = others[index];
    return times === undefined ? [] : [{ ...one, ...times }];
  });
  return { calmCpus: seen.calmCpus, before, attacks, after };
}

/** How many times as long as in calm deliveries took at p99. Of the two calms the slower one counts: their difference is noise. */
export function slowdown({ before, after }: AttackResults, { delivery }: PhaseTimes): number {
  return delivery.p99 / Math.max(before.delivery.p99, after.delivery.p99);
}

/** How many times as much as before a service refers to afterwards; NaN where that is not known. */
export const growth = ({ liveBeforeBytes, liveAfterBytes }: AttackMemory): number => liveAfterBytes / liveBeforeBytes;

/** The most that a service has grown by; NaN when nobody was asked. */
export function mostGrowth(memory: readonly AttackMemory[]): number {
  const known = memory.map(growth).filter((times) => !Number.isNaN(times));
  return known.length === 0 ? Number.NaN : Math.max(...known);
}
