import { type BudgetRow, judged } from "./budgets.ts";
import { figuresOf } from "./log/figures.ts";
import { PIECES } from "./log/pieces.ts";
import { runPiece } from "./log/run-piece.ts";
import type { Budget } from "./scenario.ts";
import { type ServiceStart, serviceStarts } from "./service-starts.ts";

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

/** How soon a service is ready, and what it takes then: the worst of all; and the single process. */
async function serviceRows(runs: number, say: Say): Promise<BudgetRow[]> {
  const all: ServiceStart[][] = [];
  for (let run = 1; run <= runs; run++) {
    all.push(await serviceStarts((line) => say(`services ${run}/${runs}: ${line}`)));
  }
  const alone = all.map((starts) => starts.filter(({ service }) => service !== "standalone"));
  const inOne = all.map((starts) => starts.filter(({ service }) => service === "standalone"));
  const rss = { figure: ({ rssMiB }: ServiceStart) => rssMiB, unit: "MiB", digits: 0 };
  const ready = { figure: ({ readySeconds }: ServiceStart) => readySeconds, unit: "s", digits: 2 };
  return [
    worst((service) => ({ name: `services: RSS of the largest idle one (${service})`, atMost: 100 }), alone, rss),
    worst((service) => ({ name: `services: the slowest to be ready (${service})`, atMost: 1 }), alone, ready),
    worst(() => ({ name: "services: RSS of the idle single process" }), inOne, rss),
    worst(() => ({ name: "services: the single process is ready" }), inOne, ready),
  ];
}

/** A row of the largest figure of each run. */
function worst(
  budget: (service: string) => Pick<Budget, "name" | "atMost">,
  all: readonly ServiceStart[][],
  { figure, unit, digits }: { figure: (start: ServiceStart) => number; unit: string; digits: number },
): BudgetRow {
  const worsts = all.map((starts) => starts.toSorted((a, b) => figure(b) - figure(a))[0]);
  const values = worsts.map((start) => (start === undefined ? Number.NaN : figure(start)));
  return judged(budget(worsts.at(-1)?.service ?? ""), { values, unit, digits }, true);
}
