import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";

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

  /** Forgets everything. */
  reset(): void {
    this.#histogram.reset();
  }

  /** All of it as a text, for another thread. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  /** Takes in what another one has encoded. */
  addEncoded(text: string): void {
    this.#histogram.add(decodeFromCompressedBase64(text, 32));
  }

  /** Points of the distribution, for a chart: at so many per cent, so many milliseconds. */
  curve(): readonly (readonly [number, number])[] {
    const at = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100];
    if (this.#histogram.totalCount === 0) return [];
    return at.map((percent) => [percent, this.#histogram.getValueAtPercentile(percent) / 1000]);
  }

  summary(): LatencySummary {
    const at = (percentile: number): number => this.#histogram.getValueAtPercentile(percentile) / 1000;
    const count = this.#histogram.totalCount;
    if (count === 0) return { count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
    const mean = this.#histogram.mean / 1000;
    return { count, mean, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
  }
}
