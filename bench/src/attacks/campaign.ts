import { setTimeout as sleep } from "node:timers/promises";
import { heardLater } from "@oceanchat/runtime/heard-later";
import { makeUsers } from "../accounts.ts";
import type { Attacks } from "../scenario.ts";
import { spreadOf } from "../spread.ts";
import type { Stage } from "../stage.ts";
import { Tally } from "../tally.ts";
import type { Target } from "../target.ts";
import { type UsageSample, usageBetween } from "../usage.ts";
import { registerDevices } from "../users.ts";
import { Offenders } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";
import { liveBytes } from "./live-memory.ts";
import type { AttackName } from "./names.ts";

/** Memory of the processes of a service, together. */
export interface AttackMemory {
  readonly service: string;
  readonly beforeBytes: number;
  readonly peakBytes: number;
  readonly afterBytes: number;
  /** What it refers to, before and after; NaN where it is no Node process. */
  readonly liveBeforeBytes: number;
  readonly liveAfterBytes: number;
}

/** What was seen of an attack, but for what others noticed. */
export interface AttackSeen {
  readonly name: AttackName;
  readonly title: string;
  /** What the offenders were told, and how often. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Those of them that are no typed refusal. */
  readonly unexpected: number;
  readonly memory: readonly AttackMemory[];
  /** CPUs that everything but the generator used meanwhile. */
  readonly cpus: number;
}

/** All of them, and the CPUs that the same processes used in the calm before. */
export interface Attacked {
  readonly calmCpus: number;
  readonly attacks: readonly AttackSeen[];
}

/** Whose memory is looked at: what the offenders reach. */
const NODE_SERVICES = ["ws-gateway", "router", "message", "presence", "standalone"];
const SERVICES = [...NODE_SERVICES, "envoy"];
/** How long offenders may take to be gone before memory is looked at; some take longer. */
const SETTLE_MS = 4_000;
/** More than are open at the same time. */
const OFFENDERS = 200;
const DEVICES = 10;

/** Registers those who attack. */
export async function makeOffenders(target: Target): Promise<Offenders> {
  return new Offenders(await makeUsers(target, OFFENDERS), await registerDevices(target.edge, DEVICES));
}

/** Attacks one after another. Outcomes that take long are waited for at the end. */
export async function runAttacks(stage: Stage, attacks: Attacks, offenders: Offenders): Promise<Attacked> {
  const { options, threads, monitor } = stage;
  await threads.phase(0);
  const began = await monitor.sample();
  await sleep(attacks.calmSeconds * 1000);
  const calmCpus = cpusBetween(began, await monitor.sample());
  const under: (() => Promise<AttackSeen>)[] = [];
  let live = await liveOf(options.target, attacks);
  for (const [index, kind] of attacks.kinds.entries()) {
    options.say(`attack: ${ATTACKS[kind].title}`);
    const turn = { kind, phase: index + 1, attacks, offenders, live };
    const { seen, liveAfter } = await attack(stage, turn);
    under.push(seen);
    live = liveAfter;
  }
  await threads.phase(attacks.kinds.length + 1);
  await sleep(attacks.calmSeconds * 1000);
  await threads.phase(undefined);
  return { calmCpus, attacks: await Promise.all(under.map((seen) => seen())) };
}

interface Turn {
  readonly kind: AttackName;
  readonly phase: number;
  readonly attacks: Attacks;
  readonly offenders: Offenders;
  readonly live: Live;
}

/** Repeats an attack; what was seen waits until the last offender has been told something. */
async function attack({ options, threads, monitor }: Stage, turn: Turn) {
  const { title, expected, run } = ATTACKS[turn.kind];
  const { seconds, restSeconds, repetitions } = turn.attacks;
  const outcomes = new Tally();
  const world = { target: options.target, offenders: turn.offenders, outcomes };
  const running: Promise<void>[] = [];
  const before = await monitor.sample();
  const cpus: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    await threads.phase(turn.phase);
    const began = await monitor.sample();
    running.push(heardLater(run(world, seconds * 1000)));
    await sleep(seconds * 1000);
    cpus.push(cpusBetween(began, await monitor.sample()));
    await threads.phase(undefined);
    await sleep(restSeconds * 1000);
  }
  await Promise.race([Promise.all(running), sleep(SETTLE_MS)]);
  const after = await monitor.sample();
  const peaks = monitor.peaks(before, after);
  const liveAfter = await liveOf(options.target, turn.attacks);
  const memory = SERVICES.map((service) => ({
    ...memoryOf(service, before, after, peaks),
    liveBeforeBytes: turn.live.get(service) ?? Number.NaN,
    liveAfterBytes: liveAfter.get(service) ?? Number.NaN,
  })).filter(({ peakBytes }) => peakBytes > 0);
  const seen = async (): Promise<AttackSeen> => {
    await Promise.all(running);
    const counts = outcomes.counts();
    const unexpected = Object.entries(counts).reduce((sum, [what, n]) => sum + (expected.includes(what) ? 0 : n), 0);
    return { name: turn.kind, title, outcomes: counts, unexpected, memory, cpus: spreadOf(cpus).median };
  };
  return { seen, liveAfter };
}

/** CPUs that everything but the generator used. */
function cpusBetween(from: UsageSample, to: UsageSample): number {
  const { processes, seconds } = usageBetween(from, to);
  return processes.reduce((sum, { name, cpuSeconds }) => sum + (name === "generator" ? 0 : cpuSeconds), 0) / seconds;
}

/** What services refer to, by name. */
type Live = ReadonlyMap<string, number>;

async function liveOf(target: Target, { liveMemory }: Attacks): Promise<Live> {
  const live = new Map<string, number>();
  if (!liveMemory) return live;
  for (const { name, pid } of await target.processes()) {
    const service = NODE_SERVICES.find((one) => isOf(one, name));
    if (service !== undefined) live.set(service, (live.get(service) ?? 0) + (await liveBytes(pid)));
  }
  return live;
}

const isOf = (service: string, name: string): boolean => name === service || name.startsWith(`${service}-`);

function memoryOf(service: string, before: UsageSample, after: UsageSample, peaks: ReadonlyMap<string, number>) {
  const bytesOf = ({ processes }: UsageSample): number =>
    processes.reduce((sum, { name, rssBytes }) => sum + (isOf(service, name) ? rssBytes : 0), 0);
  const peakBytes = [...peaks].reduce((sum, [name, bytes]) => sum + (isOf(service, name) ? bytes : 0), 0);
  return { service, beforeBytes: bytesOf(before), peakBytes, afterBytes: bytesOf(after) };
}
