import { RecentMap } from "./recent-map.ts";

/** The messages that were settled last, by sequence and time in the stream: at least `limit` of them, at most twice as many. */
export class Settled {
  readonly #nanos: RecentMap<number, number>;

  constructor(limit: number) {
    this.#nanos = new RecentMap(2 * limit);
  }

  add(sequence: number, nanos: number): void {
    this.#nanos.set(sequence, nanos);
  }

  /** Whether it was this very message: a stream that was made again gives its sequences to others. */
  has(sequence: number, nanos: number): boolean {
    return this.#nanos.get(sequence) === nanos;
  }
}
