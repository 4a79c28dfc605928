import { Latencies } from "../latency.ts";
import { sampleUsage, usageBetween } from "../usage.ts";
import { childProcesses } from "./child-processes.ts";

/** What came of a closed loop. */
export interface LoopResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How often a send failed and the next one was tried, warm-up included. */
  readonly failed: number;
  /** CPU of each process, in microseconds per record. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** What everything else on the machine used, in CPUs. */
  readonly otherCpus: number;
}

/** When it begins to count, and for how long, in seconds. */
export interface LoopTime {
  readonly warmUp: number;
  readonly seconds: number;
}

/** More failures than these end the measurement: it would be one of failures. */
const MAX_FAILED = 5_000;
const AFTER_FAILURE_S = 0.2;

/** Conversations of which each sends its next record as soon as its last one is acknowledged. */
class ClosedLoop {
  readonly #latencies = new Latencies();
  readonly #send: (conversation: number) => Promise<void>;
  #acked = 0;
  #failed = 0;
  #counting = false;
  #ended = false;

  constructor(send: (conversation: number) => Promise<void>) {
    this.#send = send;
  }

  end(): void {
    this.#ended = true;
  }

  async converse(conversation: number): Promise<void> {
    while (!this.#ended) {
      const begun = performance.now();
      try {
        await this.#send(conversation);
      } catch (error) {
        this.#failed++;
        if (this.#failed > MAX_FAILED) throw error;
        await sleep(AFTER_FAILURE_S);
        continue;
      }
      if (!this.#counting) continue;
      this.#acked++;
      this.#latencies.add(performance.now() - begun);
    }
  }

  async measure(time: LoopTime): Promise<LoopResult> {
    await sleep(time.warmUp);
    const refs = await childProcesses();
    const before = await sampleUsage(refs);
    this.#counting = true;
    await sleep(time.seconds);
    this.#counting = false;
    const usage = usageBetween(before, await sampleUsage(refs));
    const { p50, p99 } = this.#latencies.summary();
    const micros = (seconds: number) => Math.round((seconds / this.#acked) * 1e6);
    return {
      perSecond: Math.round(this.#acked / usage.seconds),
      p50Ms: p50,
      p99Ms: p99,
      failed: this.#failed,
      cpuMicros: Object.fromEntries(usage.processes.map(({ name, cpuSeconds }) => [name, micros(cpuSeconds)])),
      otherCpus: Number((usage.otherCpuSeconds / usage.seconds).toFixed(2)),
    };
  }
}

/** Measures `count` conversations; what they send before they are warm doesn't count. */
export async function closedLoop(
  count: number,
  time: LoopTime,
  send: (conversation: number) => Promise<void>,
): Promise<LoopResult> {
  const loop = new ClosedLoop(send);
  const conversations = Promise.all(Array.from({ length: count }, (_, n) => loop.converse(n)));
  const early = conversations.then(() => Promise.reject(new Error("the loop ended early")));
  try {
    return await Promise.race([loop.measure(time), early]);
  } finally {
    loop.end();
    await Promise.allSettled([conversations, early]);
  }
}

const sleep = (seconds: number) => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000));
