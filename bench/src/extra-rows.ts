import { type BudgetRow, judged } from "./budgets.ts";
import { figuresOf } from "./log/figures.ts";
import { PIECES } from "./log/pieces.ts";
import { runPiece } from "./log/run-piece.ts";
import { serviceStarts } from "./service-starts.ts";

type Say = (line: string) => void;

/** Budgets that no traffic is needed for, by what they are called on the command line. */
export const EXTRA_ROWS: Readonly<
  Record<string, (runs: number, say: Say, abort: AbortSignal) => Promise<BudgetRow[]>>
> = {
  history: historyRows,
  services: serviceRows,
};

/** A page of history out of a million records (`make bench-log` has more of it). */
async function historyRows(runs: number, say: Say, abort: AbortSignal): Promise<BudgetRow[]> {
  const piece = PIECES.find(({ name }) => name === "pages-1m");
  if (piece === undefined) throw new Error("there is no piece pages-1m");
  const values = new Map<string, number[]>();
  for (let run = 1; run <= runs; run++) {
    say(`history ${run}/${runs}: storing 1,000,000 records`);
    const { line } = await runPiece(piece.script, piece.args, piece.limitSeconds, abort);
    for (const { name, spread } of figuresOf(line, piece.figures)) {
      if (name.endsWith("p99")) values.set(name, [...(values.get(name) ?? []), spread.median]);
    }
  }
  return [...values].map(([name, of]) =>
    judged({ name: `history: ${name}`, atMost: 20 }, { values: of, unit: "ms", digits: 1 }, true),
  );
}

/** How soon a service is ready, and what it takes then: the worst of all. */
async function serviceRows(runs: number, say: Say): Promise<BudgetRow[]> {
  const ready: number[] = [];
  const rss: number[] = [];
  let slowest = "";
  let largest = "";
  for (let run = 1; run <= runs; run++) {
    const starts = await serviceStarts((line) => say(`services ${run}/${runs}: ${line}`));
    const byTime = starts.toSorted((a, b) => b.readySeconds - a.readySeconds)[0];
    const bySize = starts.toSorted((a, b) => b.rssMiB - a.rssMiB)[0];
    ready.push(byTime?.readySeconds ?? Number.NaN);
    rss.push(bySize?.rssMiB ?? Number.NaN);
    slowest = byTime?.service ?? "";
    largest = bySize?.service ?? "";
  }
  return [
    judged(
      { name: `services: RSS of the largest idle one (${largest})`, atMost: 100 },
      { values: rss, unit: "MiB", digits: 0 },
      true,
    ),
    judged(
      { name: `services: the slowest to be ready (${slowest})`, atMost: 1 },
      { values: ready, unit: "s", digits: 2 },
      true,
    ),
  ];
}
