import { build, type Histogram } from "hdr-histogram-js";

const MAX_MICROSECONDS = 3_600_000_000;

/** Latencies in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Latencies, counted in an HDR histogram: microseconds to an hour, three digits, constant memory. */
export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_MICROSECONDS,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });

  /** Takes one in milliseconds. */
  add(milliseconds: number): void {
    // A delivery can be seen a clock tick before its send call has returned.
    const microseconds = Math.max(1, Math.round(milliseconds * 1000));
    this.#histogram.recordValue(Math.min(microseconds, MAX_MICROSECONDS));
  }

  summary(): LatencySummary {
    const at = (percentile: number): number => this.#histogram.getValueAtPercentile(percentile) / 1000;
    const count = this.#histogram.totalCount;
    if (count === 0) return { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    const mean = this.#histogram.mean / 1000;
    return { count, mean, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
  }
}
