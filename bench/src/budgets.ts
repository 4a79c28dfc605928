import { figuresOf } from "./figures.ts";
import { failures } from "./report.ts";
import type { RunResult } from "./result.ts";
import type { Budget, Scenario } from "./scenario.ts";
import { type Spread, spreadOf } from "./spread.ts";

/** A scenario that was run. */
export interface Ran {
  readonly scenario: Scenario;
  readonly runs: readonly RunResult[];
}

/** A budget beside what was measured. The median counts. */
export interface BudgetRow {
  readonly name: string;
  readonly budget: string;
  readonly unit: string;
  readonly digits: number;
  readonly spread: Spread;
  readonly verdict: "met" | "missed" | "not measured" | "NOT CONSERVED";
}

/** In which order budgets are shown, by how names begin; others come last. */
const ORDER = ["one-to-one-200", "mixed", "one-to-one", "fanout", "group", "recipients", "slow", "storm"];

/** Scenarios in the order of their budgets. */
export function inOrder<T extends { readonly name: string }>(scenarios: readonly T[]): T[] {
  const place = ({ name }: T): number => {
    const found = ORDER.findIndex((start) => name.startsWith(start));
    return found < 0 ? ORDER.length : found;
  };
  return scenarios.toSorted((a, b) => place(a) - place(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** The rows of all scenarios, in their order. */
export function budgetRows(all: readonly Ran[]): BudgetRow[] {
  return all.flatMap((ran) => ran.scenario.budgets.map((budget) => scenarioRow(budget, ran, all)));
}

function scenarioRow(budget: Budget, { scenario, runs }: Ran, all: readonly Ran[]): BudgetRow {
  const { values, unit, digits } = measured(budget.figure, runs);
  const good = runs.every((run) => failures(run).length === 0);
  const name = `${scenario.name}: ${budget.name}`;
  if (budget.timesOf === undefined) return judged({ ...budget, name }, { values, unit, digits }, good);
  const other = all.find((ran) => ran.scenario.name === budget.timesOf);
  const by = spreadOf(measured(budget.figure, other?.runs ?? []).values).median;
  return judged({ ...budget, name }, { values: values.map((value) => value / by), unit: "times", digits: 2 }, good);
}

/** What runs say about a figure; NaN where they don't. */
function measured(figure: string, runs: readonly RunResult[]) {
  const found = runs.map((run) => figuresOf(run).find(({ name }) => name === figure));
  const known = found.find((one) => one !== undefined);
  return {
    values: found.map((one) => one?.value ?? Number.NaN),
    unit: known?.unit ?? "",
    digits: known?.digits ?? 0,
  };
}

/** Judges values by a budget. */
export function judged(
  budget: Pick<Budget, "name" | "atMost" | "atLeast">,
  { values, unit, digits }: { readonly values: readonly number[]; readonly unit: string; readonly digits: number },
  good: boolean,
): BudgetRow {
  const { name, atMost, atLeast } = budget;
  const spread = spreadOf(values.filter((value) => !Number.isNaN(value)));
  const bounds = [
    ...(atMost === undefined ? [] : [`≤ ${atMost.toLocaleString("en")}`]),
    ...(atLeast === undefined ? [] : [`≥ ${atLeast.toLocaleString("en")}`]),
  ];
  const { median } = spread;
  const within = median <= (atMost ?? Number.POSITIVE_INFINITY) && median >= (atLeast ?? Number.NEGATIVE_INFINITY);
  const complete = spread.values.length === values.length && values.length > 0;
  const verdict = !good ? "NOT CONSERVED" : !complete ? "not measured" : within ? "met" : "missed";
  return { name, budget: bounds.join(" "), unit, digits, spread, verdict };
}

/** Whether all of them are met. */
export const allMet = (rows: readonly BudgetRow[]): boolean => rows.every(({ verdict }) => verdict === "met");

const NAME_WIDTH = 66;

/** The table for the terminal. */
export function budgetTable(rows: readonly BudgetRow[]): string {
  const head = ["budget", "min", "median", "max", ""].map((text) => text.padStart(11)).join("");
  const lines = rows.map(({ name, budget, unit, digits, spread, verdict }) => {
    const { min, median, max } = spread;
    const cells = [min, median, max].map((value) => (Number.isNaN(value) ? "-" : shown(value, digits)));
    const numbers = [budget, ...cells].map((cell) => cell.padStart(11)).join("");
    return `  ${name.padEnd(NAME_WIDTH)}${numbers}  ${unit.padEnd(12)}${verdict === "met" ? "met" : verdict.toUpperCase()}`;
  });
  return ["", "budgets (the median counts):", `  ${"".padEnd(NAME_WIDTH)}${head}`, ...lines, ""].join("\n");
}

const shown = (value: number, digits: number): string =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
