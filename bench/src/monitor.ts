import { type ProcessRef, sampleUsage, type UsageSample } from "./usage.ts";

/** A process over time: CPUs used and memory, once a second. */
export interface ProcessSeries {
  readonly name: string;
  readonly cpus: readonly number[];
  readonly rssBytes: readonly number[];
}

/** Everything over time. */
export interface Series {
  /** Seconds since the beginning, of each sample. */
  readonly at: readonly number[];
  readonly processes: readonly ProcessSeries[];
}

const EVERY_MS = 1_000;
const MAX_SAMPLES = 7_200;

/** Looks at all processes once a second. */
export class Monitor {
  readonly #processes: () => Promise<readonly ProcessRef[]>;
  readonly #samples: UsageSample[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;

  constructor(processes: () => Promise<readonly ProcessRef[]>) {
    this.#processes = processes;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.sample().catch((error: unknown) => {
        this.#failure ??= error;
      });
    }, EVERY_MS);
  }

  /** A sample now, which is kept as well. */
  async sample(): Promise<UsageSample> {
    const sample = await sampleUsage(await this.#processes());
    if (this.#samples.length < MAX_SAMPLES) this.#samples.push(sample);
    return sample;
  }

  /** Ends it; throws when a sample could not be taken. */
  stop(): Series {
    clearInterval(this.#timer);
    if (this.#failure !== undefined) throw this.#failure;
    return seriesOf(this.#samples);
  }

  /** The most memory that each process had between two samples. */
  peaks(from: UsageSample, to: UsageSample): Map<string, number> {
    const peaks = new Map<string, number>();
    for (const { atMs, processes } of this.#samples) {
      if (atMs < from.atMs || atMs > to.atMs) continue;
      for (const { name, rssBytes } of processes) peaks.set(name, Math.max(peaks.get(name) ?? 0, rssBytes));
    }
    return peaks;
  }
}

/** Samples as series; a process that was not there has 0. */
export function seriesOf(samples: readonly UsageSample[]): Series {
  const [first] = samples;
  const names = [...new Set(samples.flatMap(({ processes }) => processes.map(({ name }) => name)))];
  const find = (sample: UsageSample | undefined, name: string) => sample?.processes.find((one) => one.name === name);
  return {
    at: samples.map(({ atMs }) => (atMs - (first?.atMs ?? 0)) / 1000),
    processes: names.map((name) => ({
      name,
      rssBytes: samples.map((sample) => find(sample, name)?.rssBytes ?? 0),
      cpus: samples.map((sample, index) => {
        const before = samples[index - 1];
        const [now, then] = [find(sample, name), find(before, name)];
        if (before === undefined || now === undefined || now.pid !== then?.pid) return 0;
        return ((now.cpuSeconds - then.cpuSeconds) * 1000) / Math.max(1, sample.atMs - before.atMs);
      }),
    })),
  };
}
