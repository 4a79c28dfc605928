import type { Mode } from "@oceanchat/infra/config";
import { attackLines } from "./attacks/table.ts";
import { type Figure, figuresOf } from "./figures.ts";
import type { Hop } from "./hops.ts";
import type { RunResult } from "./result.ts";
import { countOf, membersOf, onlineOf, type Part, type Scenario, socketsOf } from "./scenario.ts";
import { spreadOf } from "./spread.ts";

/** A machine that is used by others this much, in CPUs, measures them too. */
const NOISE_CPUS = 0.15;
const SPREAD = ["min", "median", "max"] as const;

/** How a scenario was run. */
export interface Conditions {
  readonly mode: Mode;
  readonly direct: boolean;
  readonly store: string;
  readonly threads: number;
}

/** What the terminal shows of a scenario. */
export function table(scenario: Scenario, runs: readonly RunResult[], how: Conditions): string {
  const all = runs.map((run) => figuresOf(run));
  const heads = runs.length > 1 ? [...runs.map((_, index) => `run ${index + 1}`), ...SPREAD] : [""];
  return [
    "",
    `${scenario.name}: ${scenario.description}`,
    `  ${outline(scenario, how)}`,
    "",
    row("", "", heads),
    ...linesOf(all).map(({ label, unit, digits, values }) => row(label, unit, cells(values, digits))),
    ...processRows(runs),
    "",
    ...runs.flatMap(({ attacks }) => (attacks === undefined ? [] : [...attackLines(attacks), ""])),
    ...(runs.at(-1)?.hops.length ? [...hopRows(runs.at(-1)?.hops ?? []), ""] : []),
    ...runs.flatMap((run, index) => remarks(run, runs.length > 1 ? `run ${index + 1}: ` : "")),
  ].join("\n");
}

/** Everything that was wrong in a run; none: the run is good. */
export function failures(run: RunResult): string[] {
  const { violations, sent } = run.ledger;
  const lines = violations.kinds.map(({ kind, count, examples }) => `${kind}: ${count} (${examples.join("; ")})`);
  if (run.acked === 0 && sent > 0) lines.push("nothing was accepted");
  return lines;
}

/** A figure over several runs. */
export interface Line extends Omit<Figure, "value"> {
  readonly values: readonly number[];
}

/** The figures of several runs side by side; one that a run doesn't have is NaN there. */
export function linesOf(runs: readonly (readonly Figure[])[]): Line[] {
  const names = [...new Set(runs.flatMap((figures) => figures.map(({ name }) => name)))];
  return names
    .filter((name) => !/^(cpu\.(message|delivery)|rss(\.start|\.peak)?)\.[a-z]/.test(name))
    .flatMap((name) => {
      const found = runs.map((figures) => figures.find((one) => one.name === name));
      const known = found.find((one) => one !== undefined);
      return known === undefined ? [] : [{ ...known, values: found.map((one) => one?.value ?? Number.NaN) }];
    });
}

function outline(scenario: Scenario, { mode, direct, store, threads }: Conditions): string {
  const { warmUpSeconds, seconds, connect, traffic, idleSockets } = scenario;
  const where =
    connect === "edge" && !direct ? "through Envoy" : connect === "one gateway" ? "to one gateway" : "to the gateways";
  const sockets = `${socketsOf(scenario)} sockets ${where}${idleSockets > 0 ? `, ${idleSockets} of them idle` : ""}`;
  const times = `${warmUpSeconds} s warm-up, ${seconds} s measured`;
  const services = mode === "standalone" ? "all services in one process; " : "";
  const how = `${services}store: ${store}; generator: ${threads} thread${threads === 1 ? "" : "s"}`;
  return [sockets, ...traffic.map(partOutline), times, how].join("; ");
}

function partOutline({ conversations, load, textBytes }: Part): string {
  const members = membersOf(conversations);
  const online = onlineOf(conversations);
  const kind =
    conversations.kind === "direct" ? "pairs" : `groups of ${members}${online < members ? `, ${online} online` : ""}`;
  const rate =
    load.kind === "open"
      ? `${load.perSecond}/s, timed from when each was meant to leave`
      : `closed loop, ${load.inFlight} in flight per conversation`;
  return `${countOf(conversations)} ${kind}, ${conversations.writers} writing, ${rate}, ${textBytes} bytes`;
}

function cells(values: readonly number[], digits: number): string[] {
  const { min, median, max } = spreadOf(values);
  const shown = values.length > 1 ? [...values, min, median, max] : values;
  return shown.map((value) => (Number.isNaN(value) ? "-" : value.toFixed(digits)));
}

function row(name: string, unit: string, values: readonly string[]): string {
  return `  ${name.padEnd(26)}${values.map((value) => value.padStart(10)).join("")}  ${unit}`;
}

/** CPU and memory of each process, medians of the runs. */
function processRows(runs: readonly RunResult[]): string[] {
  const all = runs.map((run) => new Map(figuresOf(run).map(({ name, value }) => [name, value])));
  const names = [...new Set(runs.flatMap(({ usage }) => usage.processes.map(({ name }) => name)))];
  const median = (name: string): number => spreadOf(all.map((figures) => figures.get(name) ?? Number.NaN)).median;
  const cell = (name: string, digits: number): string => {
    const value = median(name);
    return Number.isNaN(value) ? "-" : value.toFixed(digits);
  };
  const cpu = (name: string): number =>
    spreadOf(runs.map(({ usage }) => usage.processes.find((one) => one.name === name)?.cpuSeconds ?? 0)).median;
  return [
    "",
    row(runs.length > 1 ? "process (medians)" : "process", "", ["µs/msg", "µs/deliv", "RSS start", "peak", "end MiB"]),
    ...names
      .toSorted((a, b) => cpu(b) - cpu(a))
      .map((name) =>
        row(name, "", [
          cell(`cpu.message.${name}`, 0),
          cell(`cpu.delivery.${name}`, 2),
          cell(`rss.start.${name}`, 0),
          cell(`rss.peak.${name}`, 0),
          cell(`rss.${name}`, 0),
        ]),
      ),
  ];
}

/** The way of messages, of the last run. */
function hopRows(hops: readonly Hop[]): string[] {
  const values = ({ began, took, ended }: Hop): string[] =>
    [began.p50, took.p50, took.p99, ended.p50, ended.p99].map((value) => value.toFixed(2));
  return [
    "  The way of the messages that were traced, in ms after the gateway got the packet (last run):",
    row("", "", ["began p50", "took p50", "took p99", "ended p50", "ended p99"]),
    ...hops.map((hop) => row(hop.name, `(${hop.took.count})`, values(hop))),
  ];
}

/** What a reader of the figures must know. */
function remarks(run: RunResult, prefix: string): string[] {
  const { ledger, usage, gateways, backlog } = run;
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([what, count]) => `${count} × ${what}`)
      .join(", ");
  const behind = backlog.filter(({ records }) => records > 0).map(({ consumer, records }) => `${consumer} ${records}`);
  const noise = (usage.otherCpuSeconds + usage.stolenCpuSeconds) / usage.seconds;
  const conserved =
    ledger.violations.total === 0
      ? `${ledger.acked} acked messages, each delivered once to everybody, in order (${ledger.deliveries} deliveries)`
      : `NOT CONSERVED, ${ledger.violations.total} violations:`;
  const sockets = Object.entries(gateways).map(([id, count]) => `${count} on ${id}`);
  const [refused, unsynced, closed] = [listed(run.errors), listed(run.syncErrors), listed(run.closes)];
  return [
    `${prefix}${conserved}; sockets: ${sockets.join(", ")}; ${run.acrossGateways} conversations across gateways`,
    ...failures(run).map((line) => `  ${line}`),
    ...(refused === "" ? [] : [`  refused: ${refused}`]),
    ...(run.repeats === 0 ? [] : [`  ${run.repeats} messages repeated that nothing had answered`]),
    ...(unsynced === "" ? [] : [`  connections, syncs and pages that failed and were tried again: ${unsynced}`]),
    ...(closed === "" ? [] : [`  connections that ended: ${closed}`]),
    ...(behind.length > 0 ? [`  behind at the end, in records: ${behind.join(", ")}`] : []),
    ...(usage.restarted.length > 0 ? [`  restarted: ${usage.restarted.join(", ")}`] : []),
    ...(noise > NOISE_CPUS ? [`  NOT COMPARABLE, others used ${noise.toFixed(2)} CPUs of this machine`] : []),
  ];
}
