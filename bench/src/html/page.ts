import { type AttackTable, memory, noticed } from "../attacks/table.ts";
import { type BudgetRow, budgetRows, type Ran } from "../budgets.ts";
import { figuresOf } from "../figures.ts";
import type { ProcessSeries } from "../monitor.ts";
import { linesOf } from "../report.ts";
import type { RunResult } from "../result.ts";
import { spreadOf } from "../spread.ts";
import { barChart, escaped, type Line, percentileChart, timeChart } from "./svg.ts";

const MIB = 1024 * 1024;
/** Processes that a chart over time shows: more can't be told apart. */
const LINES = 8;

/** Where and how it was measured. */
export interface Setting {
  readonly time: string;
  /** The machine, the store, how the generator ran. */
  readonly facts: readonly string[];
}

const STYLE = `body{font:14px/1.4 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#1f2937}
table{border-collapse:collapse;margin:.5em 0}td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #e5e7eb}
td:first-child,th:first-child{text-align:left}.met{color:#047857}.missed{color:#b91c1c;font-weight:bold}svg{display:block;margin:.3em 0 1em}
svg text{font:11px system-ui,sans-serif;fill:#374151}.grid{stroke:#e5e7eb}.legend span{margin-right:.8em}.wrong{color:#b91c1c}`;

/** Everything that was measured, as one page that needs nothing else. */
export function htmlPage(all: readonly Ran[], extra: readonly BudgetRow[], { time, facts }: Setting): string {
  const rows = [...budgetRows(all), ...extra];
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>OceanChat bench ${escaped(time)}</title><style>${STYLE}</style>`,
    `<h1>OceanChat bench</h1><p>${escaped([time, ...facts].join("; "))}</p>`,
    ...(rows.length > 0 ? [budgetHtml(rows)] : []),
    ...all.map(scenarioHtml),
    "</html>",
  ].join("\n");
}

function budgetHtml(rows: readonly BudgetRow[]): string {
  const lines = rows.map(({ name, budget, unit, digits, spread, verdict }) => {
    const cells = [spread.min, spread.median, spread.max].map((value) => `<td>${shown(value, digits)}</td>`);
    const kind = verdict === "met" ? "met" : "missed";
    return `<tr><td>${escaped(name)}</td><td>${escaped(budget)}</td>${cells.join("")}<td>${escaped(unit)}</td><td class="${kind}">${verdict}</td></tr>`;
  });
  return `<h2>Budgets</h2><table><tr><th></th><th>budget</th><th>min</th><th>median</th><th>max</th><th></th><th></th></tr>${lines.join("")}</table>`;
}

function scenarioHtml({ scenario, runs }: Ran): string {
  const last = runs.at(-1);
  if (last === undefined) return "";
  const wrong = runs.flatMap(({ ledger }) => ledger.violations.kinds.map(({ kind, count }) => `${count} × ${kind}`));
  return [
    `<h2 id="${escaped(scenario.name)}">${escaped(scenario.name)}</h2><p>${escaped(scenario.description)}</p>`,
    ...(wrong.length > 0 ? [`<p class="wrong">Not conserved: ${escaped(wrong.join(", "))}</p>`] : []),
    figureHtml(runs),
    ...latencyHtml(last),
    processHtml(last),
    ...hopHtml(last),
    ...attackHtml(last),
  ].join("\n");
}

function figureHtml(runs: readonly RunResult[]): string {
  const lines = linesOf(runs.map((run) => figuresOf(run))).map(({ label, unit, digits, values }) => {
    const { min, median, max } = spreadOf(values);
    const cells = runs.length > 1 ? [min, median, max] : [median];
    return `<tr><td>${escaped(label)}</td>${cells.map((value) => `<td>${shown(value, digits)}</td>`).join("")}<td>${escaped(unit)}</td></tr>`;
  });
  const head = runs.length > 1 ? "<th>min</th><th>median</th><th>max</th>" : "<th></th>";
  return `<table><tr><th></th>${head}<th></th></tr>${lines.join("")}</table>`;
}

function latencyHtml(run: RunResult): string[] {
  const of = (name: string, { count, curve }: RunResult["ack"]): Line[] => (count > 0 ? [{ name, points: curve }] : []);
  const parts = run.parts.length > 1 ? run.parts.flatMap((part) => of(`${part.name}: delivery`, part.delivery)) : [];
  const lines = [
    ...[...of("ack", run.ack), ...of("delivery", run.delivery), ...parts],
    ...[...of("delivery before", run.baseline), ...of("reconnect", run.reconnect), ...of("caught up", run.resume)],
  ];
  return lines.length === 0 ? [] : ["<h3>Latency by percentile</h3>", percentileChart(lines)];
}

function processHtml({ usage, acked, delivered, series }: RunResult): string {
  const processes = usage.processes.toSorted((a, b) => b.cpuSeconds - a.cpuSeconds);
  const [count, unit] = acked > 0 ? [acked, "µs per message"] : [usage.seconds, "µs per second"];
  const bars = processes.map(({ name, cpuSeconds }) => {
    const each = delivered > 0 ? `, ${((cpuSeconds * 1e6) / delivered).toFixed(1)} a delivery` : "";
    const value = (cpuSeconds * 1e6) / count;
    return { name, value, label: `${value.toFixed(0)}${each}` };
  });
  const line = (of: (one: ProcessSeries) => readonly number[]): Line[] =>
    series.processes
      .toSorted((a, b) => Math.max(0, ...of(b)) - Math.max(0, ...of(a)))
      .slice(0, LINES)
      .map((one) => ({
        name: one.name,
        points: of(one).map((value, index) => [series.at[index] ?? 0, value] as const),
      }));
  return [
    `<h3>CPU, ${unit}</h3>${barChart(bars)}`,
    `<h3>CPUs over time</h3>${timeChart(
      line(({ cpus }) => cpus),
      "",
    )}`,
    `<h3>Memory over time</h3>${timeChart(
      line(({ rssBytes }) => rssBytes.map((bytes) => bytes / MIB)),
      "MiB",
    )}`,
  ].join("\n");
}

function hopHtml({ hops }: RunResult): string[] {
  if (hops.length === 0) return [];
  const bars = hops.map(({ name, began, took }) => ({
    ...{ name, from: began.p50, value: took.p50 },
    label: `${took.p50.toFixed(2)} ms (p99 ${took.p99.toFixed(1)})`,
  }));
  return ["<h3>The way of a message: medians, in ms after the gateway got it</h3>", barChart(bars)];
}

function attackHtml({ attacks }: RunResult): string[] {
  if (attacks === undefined) return [];
  const titles = attacks.attacks.map(({ name, title }) => `<li>${escaped(name)}: ${escaped(title)}</li>`);
  return [`<h3>Attacks</h3><ul>${titles.join("")}</ul>`, tableHtml(noticed(attacks)), tableHtml(memory(attacks))];
}

function tableHtml({ head, rows }: AttackTable): string {
  const line = (cells: readonly string[], kind: "td" | "th"): string =>
    `<tr>${cells.map((cell) => `<${kind}>${escaped(cell)}</${kind}>`).join("")}</tr>`;
  return `<table>${line(head, "th")}${rows.map((row) => line(row, "td")).join("")}</table>`;
}

const shown = (value: number, digits: number): string =>
  Number.isNaN(value)
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
