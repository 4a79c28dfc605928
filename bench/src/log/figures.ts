import { type Spread, spreadOf } from "../spread.ts";
import type { FigureSpec } from "./pieces.ts";

/** A figure as it was measured. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly spread: Spread;
  readonly ceiling: Spread | undefined;
  /** Of the medians: what part of the ceiling was reached; of times, how many times longer it took. */
  readonly share: number | undefined;
  readonly atLeast: number | undefined;
}

/** Takes the figures out of a piece's line; one that isn't there is an error of the piece. */
export function figuresOf(line: unknown, specs: readonly FigureSpec[]): Figure[] {
  return specs.map(({ name, unit, at, ceiling, atLeast }) => {
    const spread = spreadOf(numbersAt(line, at));
    const above = ceiling === undefined ? undefined : spreadOf(numbersAt(line, ceiling));
    const share = above === undefined ? undefined : spread.median / above.median;
    return { name, unit, spread, ceiling: above, share, atLeast };
  });
}

function numbersAt(line: unknown, path: string): number[] {
  let found = line;
  for (const name of path.split(".")) {
    found =
      typeof found === "object" && found !== null
        ? Object.entries(found).find(([key]) => key === name)?.[1]
        : undefined;
  }
  const values: unknown[] = Array.isArray(found) ? found : [found];
  return values.map((value) => {
    if (typeof value !== "number") throw new TypeError(`no number at ${path}`);
    return value;
  });
}

const WIDTH = 62;

/** The head of the table. */
export const HEAD = row(["", "min", "median", "max", "ceiling", "of it", ""]);

/** A line of the table. */
export function figureRow({ name, unit, spread, ceiling, share, atLeast }: Figure): string {
  const { min, median, max } = spread;
  const single = spread.values.length === 1;
  const of = share === undefined ? "" : unit === "/s" ? `${Math.round(share * 100)} %` : `${share.toFixed(1)} ×`;
  const cells = [
    ...[single ? "" : shown(min), shown(median), single ? "" : shown(max)],
    ceiling === undefined ? "" : shown(ceiling.median),
    of,
  ];
  return row([unit === "" ? name : `${name}, ${unit}`, ...cells, verdict(share, atLeast)]);
}

/** Whether everything that is demanded was reached. */
export const reached = (figures: readonly Figure[]): boolean =>
  figures.every(({ share, atLeast }) => atLeast === undefined || (share ?? 0) >= atLeast);

function verdict(share: number | undefined, atLeast: number | undefined): string {
  if (atLeast === undefined) return "";
  return `${(share ?? 0) >= atLeast ? "reaches" : "MISSES"} ${atLeast * 100} %`;
}

function row([name = "", ...cells]: readonly string[]): string {
  const verdictCell = cells.pop() ?? "";
  return `  ${name.padEnd(WIDTH)}${cells.map((cell) => cell.padStart(10)).join("")}  ${verdictCell}`.trimEnd();
}

function shown(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(value >= 10 ? 1 : 2);
}
