/**
 * Notices that the store has lost everything, and for how long it may lack connections that are there: until all gateways have
 * renewed their leases and reported again. The store's epoch is a time, set by whichever gateway reports first after the loss.
 * An instance that has never seen another epoch takes what it finds for whole.
 */
export class Epoch {
  readonly #rebuildMs: number;
  readonly #now: () => number;
  #whole: number | undefined;

  /** `rebuildMs`: how long after the first report the last one may come. */
  constructor(rebuildMs: number, now: () => number) {
    this.#rebuildMs = rebuildMs;
    this.#now = now;
  }

  /** Whether connections may be missing in what was read together with this epoch, in milliseconds; undefined: there was none. */
  isRebuilding(epochMs: number | undefined): boolean {
    if (this.#whole === undefined) this.#whole = epochMs;
    if (this.#whole === epochMs) return false;
    if (epochMs === undefined || this.#now() - epochMs < this.#rebuildMs) return true;
    this.#whole = epochMs;
    return false;
  }
}
