import { Latencies } from "../latency.ts";

/** Acks and deliveries of one phase. */
export interface PhaseLatencies {
  readonly ack: Latencies;
  readonly delivery: Latencies;
}

/** Latencies by phases of the measured time: a message belongs to the phase in which it was meant to leave, however late its answer is. */
export class Phases {
  readonly latencies: readonly PhaseLatencies[];
  /** What began when; a phase may come again. */
  readonly #spans: { readonly from: number; readonly phase: number | undefined }[] = [];

  constructor(count: number) {
    this.latencies = Array.from({ length: count }, () => ({ ack: new Latencies(), delivery: new Latencies() }));
  }

  /** From now on messages belong to this phase, or to none. The clock must not go back. */
  begin(phase: number | undefined, now: number): void {
    this.#spans.push({ from: now, phase });
  }

  /** Where a message counts that was meant to leave then; undefined: nowhere. */
  of(intended: number): PhaseLatencies | undefined {
    const span = this.#spans.findLast(({ from }) => intended >= from);
    return span?.phase === undefined ? undefined : this.latencies[span.phase];
  }
}
