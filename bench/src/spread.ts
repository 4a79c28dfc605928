/** One figure over several runs. */
export interface Spread {
  readonly values: readonly number[];
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Minimum, median and maximum; of an even number the lower of the two in the middle. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return { values, min: at(0), median: at(Math.floor((sorted.length - 1) / 2)), max: at(sorted.length - 1) };
}
