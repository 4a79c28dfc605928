import { makeOffenders } from "./attacks/campaign.ts";
import { Audit } from "./audit.ts";
import { createClock } from "./clock.ts";
import { measure } from "./measure.ts";
import { Monitor } from "./monitor.ts";
import type { Pace } from "./paced.ts";
import { prepare } from "./prepare.ts";
import { type RunResult, resultOf } from "./result.ts";
import { Rows } from "./rows.ts";
import { socketsOf } from "./scenario.ts";
import { ShardThreads } from "./shard/threads.ts";
import type { RunOptions, Stage } from "./stage.ts";

const CONNECTS: Pace = { perSecond: 500, atOnce: 64 };

/** Runs a scenario once: users, sockets, warm-up, the measured time, the rest of the answers. */
export async function runScenario(options: RunOptions): Promise<RunResult> {
  const { target, scenario, say } = options;
  const monitor = new Monitor(() => target.processes());
  say(`making ${socketsOf(scenario)} clients`);
  const prepared = await prepare(target, scenario, options);
  const offenders = scenario.attacks && (await makeOffenders(target));
  const rows = new Rows(prepared.rows);
  const audit = new Audit(prepared.conversations, rows);
  const threads = new ShardThreads(prepared.shards);
  const stage: Stage = { options, rows, audit, threads, monitor, clock: createClock(), offenders };
  try {
    const bare = await monitor.sample();
    monitor.start();
    const began = performance.now();
    await threads.connect(CONNECTS, (open) => say(`${open} sockets are open`));
    const connectSeconds = (performance.now() - began) / 1000;
    const measured = await measure(stage);
    const results = await threads.results();
    return resultOf({ ...measured, stage, bare, connectSeconds, prepared, results, series: monitor.stop() });
  } finally {
    await threads.close();
  }
}
