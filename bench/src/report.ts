import type { Hop } from "./hops.ts";
import type { LatencySummary } from "./latency.ts";
import type { RunResult } from "./run.ts";
import { countOf, type Scenario, socketsOf } from "./scenario.ts";
import { type Spread, spreadOf } from "./spread.ts";
import type { Usage } from "./usage.ts";

/** A row of the table. */
interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly digits: number;
  readonly of: (run: RunResult) => number;
}

const MIB = 1024 * 1024;
/** A machine that is used by others this much, in CPUs, measures them too. */
const NOISE_CPUS = 0.15;

/** What the terminal shows of a scenario. */
export function table(scenario: Scenario, runs: readonly RunResult[], how: { direct: boolean; store: string }): string {
  const figures = [...trafficFigures(), ...usageFigures(runs)];
  const lines = [
    "",
    `${scenario.name}: ${scenario.description}`,
    `  ${outline(scenario, how)}`,
    "",
    row("", "", runs.length > 1 ? [...runs.map((_, index) => `run ${index + 1}`), "min", "median", "max"] : [""]),
    ...figures.map((figure) => figureRow(figure, runs)),
    "",
    ...(runs.at(-1)?.hops.length ? [...hopRows(runs.at(-1)?.hops ?? []), ""] : []),
    ...runs.flatMap((run, index) => remarks(run, runs.length > 1 ? `run ${index + 1}: ` : "")),
  ];
  return lines.join("\n");
}

/** Everything that was wrong in a run; none: the run is good. */
export function failures(run: RunResult): string[] {
  const { violations } = run.ledger;
  const lines = violations.kinds.map(({ kind, count, examples }) => `${kind}: ${count} (${examples.join("; ")})`);
  if (run.acked === 0) lines.push("nothing was accepted");
  return lines;
}

function outline(scenario: Scenario, { direct, store }: { direct: boolean; store: string }): string {
  const { conversations, load, textBytes, warmUpSeconds, seconds } = scenario;
  const sockets = `${socketsOf(conversations)} sockets ${direct ? "to the gateways" : "through Envoy"}`;
  const what = `${countOf(conversations)} ${conversations.kind} conversations, ${conversations.writers} writing in each`;
  const how =
    load.kind === "open"
      ? `open loop at ${load.perSecond}/s, timed from when each was meant to leave`
      : `closed loop, ${load.inFlight} in flight per conversation`;
  return `${what}; ${sockets}; ${how}; texts of ${textBytes} bytes; ${warmUpSeconds} s warm-up, ${seconds} s measured; store: ${store}`;
}

function trafficFigures(): Figure[] {
  const latency = (name: string, of: (run: RunResult) => LatencySummary, keys: readonly Percentile[]): Figure[] =>
    keys.map((key) => ({ name: `${name} ${LABELS[key]}`, unit: "ms", digits: 2, of: (run) => of(run)[key] }));
  return [
    { name: "accepted", unit: "msg/s", digits: 0, of: (run) => run.acked / run.seconds },
    { name: "delivered", unit: "msg/s", digits: 0, of: (run) => run.delivered / run.seconds },
    ...latency("ack", (run) => run.traffic.ack, ["p50", "p90", "p99", "p999", "max"]),
    ...latency("delivery", (run) => run.traffic.delivery, ["p50", "p90", "p99", "p999", "max"]),
    ...latency("sent late by", (run) => run.traffic.lag, ["p50", "p99"]),
    { name: "stored after", unit: "s", digits: 2, of: (run) => run.storedAfterSeconds ?? Number.NaN },
  ];
}

type Percentile = "p50" | "p90" | "p99" | "p999" | "max";
const LABELS: Readonly<Record<Percentile, string>> = { p50: "p50", p90: "p90", p99: "p99", p999: "p99.9", max: "max" };

/** CPU per accepted message and memory of each process, the one that costs most first. */
function usageFigures(runs: readonly RunResult[]): Figure[] {
  const names = [...new Set(runs.flatMap(({ usage }) => usage.processes.map(({ name }) => name)))];
  const costs = names.map((name) => ({ name, cost: spreadOf(runs.map((run) => microseconds(run, name))).median }));
  costs.sort((a, b) => b.cost - a.cost);
  const total = (run: RunResult): number => sum(names.map((name) => microseconds(run, name)));
  return [
    { name: "CPU in all", unit: "µs/msg", digits: 0, of: total },
    ...costs.map(({ name }) => ({
      name: `CPU ${name}`,
      unit: "µs/msg",
      digits: 0,
      of: (run: RunResult) => microseconds(run, name),
    })),
    { name: "CPUs used", unit: "CPUs", digits: 2, of: ({ usage }) => cpus(usage) },
    { name: "CPUs used idle", unit: "CPUs", digits: 2, of: ({ idle }) => cpus(idle) },
    { name: "CPUs used by others", unit: "CPUs", digits: 2, of: ({ usage }) => usage.otherCpuSeconds / usage.seconds },
    ...costs.map(({ name }) => ({
      name: `RSS ${name}`,
      unit: "MiB",
      digits: 0,
      of: ({ usage }: RunResult) => (usage.processes.find((one) => one.name === name)?.rssBytes ?? 0) / MIB,
    })),
  ];
}

function microseconds({ usage, acked }: RunResult, name: string): number {
  const used = usage.processes.find((one) => one.name === name)?.cpuSeconds ?? 0;
  return acked === 0 ? Number.NaN : (used * 1e6) / acked;
}

const cpus = ({ processes, seconds }: Usage): number => sum(processes.map(({ cpuSeconds }) => cpuSeconds)) / seconds;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function figureRow({ name, unit, digits, of }: Figure, runs: readonly RunResult[]): string {
  const spread = spreadOf(runs.map(of));
  return row(
    name,
    unit,
    shown(spread).map((value) => (Number.isNaN(value) ? "-" : value.toFixed(digits))),
  );
}

const shown = ({ values, min, median, max }: Spread): readonly number[] =>
  values.length > 1 ? [...values, min, median, max] : values;

function row(name: string, unit: string, cells: readonly string[]): string {
  return `  ${name.padEnd(26)}${cells.map((cell) => cell.padStart(10)).join("")}  ${unit}`;
}

/** The way of messages, of the last run. */
function hopRows(hops: readonly Hop[]): string[] {
  const cells = ({ began, took, ended }: Hop): string[] =>
    [began.p50, took.p50, took.p99, ended.p50, ended.p99].map((value) => value.toFixed(2));
  return [
    "  The way of the messages that were traced, in ms after the gateway got the packet (last run):",
    row("", "", ["began p50", "took p50", "took p99", "ended p50", "ended p99"]),
    ...hops.map((hop) => row(hop.name, `(${hop.took.count})`, cells(hop))),
  ];
}

/** What a reader of the figures must know. */
function remarks(run: RunResult, prefix: string): string[] {
  const { ledger, traffic, usage, gateways, backlog } = run;
  const errors = Object.entries(traffic.errors).map(([reason, count]) => `${count} × ${reason}`);
  const behind = backlog.filter(({ records }) => records > 0).map(({ consumer, records }) => `${consumer} ${records}`);
  const noise = (usage.otherCpuSeconds + usage.stolenCpuSeconds) / usage.seconds;
  const conserved =
    ledger.violations.total === 0
      ? `${ledger.acked} acked messages, each delivered once to everybody, in order (${ledger.deliveries} deliveries)`
      : `NOT CONSERVED, ${ledger.violations.total} violations:`;
  const sockets = Object.entries(gateways).map(([id, count]) => `${count} on ${id}`);
  return [
    `${prefix}${conserved}; sockets: ${sockets.join(", ")}; ${run.acrossGateways} conversations across gateways`,
    ...failures(run).map((line) => `  ${line}`),
    ...(errors.length > 0 ? [`  refused: ${errors.join(", ")}`] : []),
    ...(traffic.hints > 0 ? [`  ${traffic.hints} hints instead of records`] : []),
    ...(behind.length > 0 ? [`  behind at the end, in records: ${behind.join(", ")}`] : []),
    ...(usage.restarted.length > 0 ? [`  NOT COMPARABLE, restarted: ${usage.restarted.join(", ")}`] : []),
    ...(noise > NOISE_CPUS ? [`  NOT COMPARABLE, others used ${noise.toFixed(2)} CPUs of this machine`] : []),
  ];
}
