import type { Offenders } from "./attacks/attack.ts";
import type { Audit } from "./audit.ts";
import type { HopReceiver } from "./hops.ts";
import type { Monitor } from "./monitor.ts";
import type { Rows } from "./rows.ts";
import type { Scenario } from "./scenario.ts";
import type { ShardThreads } from "./shard/threads.ts";
import type { Target } from "./target.ts";

export interface RunOptions {
  readonly target: Target;
  /** Gets the services' spans. */
  readonly hops: HopReceiver | undefined;
  readonly scenario: Scenario;
  readonly direct: boolean;
  readonly threads: number;
  /** Says what is going on. */
  readonly say: (line: string) => void;
}

/** A run's parts, from the first socket on. */
export interface Stage {
  readonly options: RunOptions;
  readonly rows: Rows;
  readonly audit: Audit;
  readonly threads: ShardThreads;
  readonly monitor: Monitor;
  readonly clock: () => number;
  /** Who attacks, in a scenario with attacks. */
  readonly offenders: Offenders | undefined;
}

/** What has been counted at a moment. */
export interface Counts {
  readonly atMs: number;
  readonly acked: number;
  readonly deliveries: number;
  readonly parts: readonly { readonly acked: number; readonly deliveries: number }[];
}
