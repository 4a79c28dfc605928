import { setTimeout as sleep } from "node:timers/promises";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { runAttacks } from "./attacks/campaign.ts";
import { type Backlog, logBacklog } from "./backlog.ts";
import type { Counts, Stage } from "./stage.ts";
import { startStorm } from "./storm.ts";

const IDLE_MS = 2_000;
/** How long services may keep spans before they send them (OTEL_BSP_SCHEDULE_DELAY), and a little. */
const SPANS_MS = 6_000;
/** After everything has arrived, for what arrives twice. */
const QUIET_MS = 1_000;

/** What the main thread has seen of a run. */
export type Measured = Awaited<ReturnType<typeof measure>>;

/** Load, drain and what is counted and sampled meanwhile; the sockets are open. */
export async function measure(stage: Stage) {
  const { options, threads, monitor, clock } = stage;
  const { scenario, hops, say } = options;
  const startedAt = new Date().toISOString();
  const atRest = await monitor.sample();
  await sleep(IDLE_MS);
  const rested = await monitor.sample();

  say(`load for ${scenario.warmUpSeconds} + ${scenario.seconds} s`);
  const start = clock() + 20;
  const from = start + scenario.warmUpSeconds * 1000;
  const to = from + scenario.seconds * 1000;
  const baseline = from - (scenario.slowReaders?.baselineSeconds ?? 0) * 1000;
  const load = threads.load({ start, baseline, from, to });
  if (scenario.churn !== undefined) await threads.churn(scenario.churn.perSecond);
  await sleep(Math.max(0, from - clock()));
  if (scenario.slowReaders !== undefined) await threads.readSlowly(true);
  const began = countsOf(stage);
  const before = await monitor.sample();
  const storm = scenario.storm && startStorm(stage, scenario.storm);
  const attacks = scenario.attacks && stage.offenders && runAttacks(stage, scenario.attacks, stage.offenders);
  heardLater(attacks);
  const progress = setInterval(() => say(progressOf(stage, began)), 5_000);
  try {
    // Without traffic there is nothing to wait for but the time.
    await Promise.all([load, sleep(Math.max(0, to - clock()))]);
  } finally {
    clearInterval(progress);
  }
  const ended = countsOf(stage);
  const after = await monitor.sample();
  if (scenario.churn !== undefined) await threads.churn(0);
  const drained = await drain(stage);
  const stormResult = await storm;
  const attacked = await attacks;
  await sleep(hops === undefined ? QUIET_MS : SPANS_MS);
  return {
    startedAt,
    atRest,
    rested,
    began,
    ended,
    before,
    after,
    ...drained,
    storm: stormResult,
    attacked,
    hops: hopsIn(stage, began, ended),
  };
}

/** Waits until everything is stored, delivered and caught up with, or the drain time is over. */
async function drain(stage: Stage) {
  const { options, audit, threads } = stage;
  const { scenario, target, say } = options;
  const backlog: Backlog[] = await logBacklog(target.nats);
  say("waiting for what is under way");
  const deadline = performance.now() + scenario.drainSeconds * 1000;
  if (scenario.slowReaders !== undefined) await threads.readSlowly(false);
  const storedAfterSeconds = await untilStored(target.nats, deadline);
  const resumes = scenario.storm !== undefined || scenario.slowReaders !== undefined;
  await until(deadline, async () => {
    // Who has been slow may hear only now that something was withheld from him.
    if (resumes) await threads.catchUp();
    return audit.settled();
  });
  return { backlog, storedAfterSeconds };
}

async function until(deadline: number, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()) && performance.now() < deadline) await sleep(50);
}

/** Seconds until the log's consumers have nothing left to do. */
async function untilStored(nats: string, deadline: number): Promise<number | undefined> {
  const began = performance.now();
  while (performance.now() < deadline) {
    const backlog = await logBacklog(nats);
    if (backlog.every(({ records }) => records === 0)) return (performance.now() - began) / 1000;
    await sleep(50);
  }
  return undefined;
}

function countsOf({ rows, audit, options }: Stage): Counts {
  const parts = options.scenario.traffic.map((_, part) => ({
    acked: rows.ackedOf(part),
    deliveries: rows.deliveriesOf(part),
  }));
  return { atMs: performance.now(), acked: audit.acked, deliveries: audit.deliveries, parts };
}

function progressOf(stage: Stage, began: Counts): string {
  const now = countsOf(stage);
  const seconds = (now.atMs - began.atMs) / 1000;
  const rate = (count: number) => Math.round(count / seconds);
  return `${rate(now.acked - began.acked)} msg/s, ${rate(now.deliveries - began.deliveries)} deliveries/s, ${stage.rows.unanswered} unanswered`;
}

function hopsIn({ options }: Stage, began: Counts, ended: Counts) {
  return options.hops?.take(performance.timeOrigin + began.atMs, performance.timeOrigin + ended.atMs) ?? [];
}
