/** What may be read from a connection. */
export interface AllowanceRates {
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
}

/**
 * Two token buckets, of packets and of bytes, in two numbers: the times at which they will be full again. What has arrived is
 * always taken, if need be on credit: the connection is then not read until the credit is paid back.
 */
export class Allowance {
  #packetsFullAt = 0;
  #bytesFullAt = 0;

  /** Takes a packet. The clock must never go back. */
  take(rates: AllowanceRates, bytes: number, nowMs: number): void {
    this.#packetsFullAt = Math.max(this.#packetsFullAt, nowMs) + 1000 / rates.packetsPerSecond;
    this.#bytesFullAt = Math.max(this.#bytesFullAt, nowMs) + (bytes * 1000) / rates.bytesPerSecond;
  }

  /** How long not to read; 0 when nothing is owed. */
  waitMs(rates: AllowanceRates, nowMs: number): number {
    const packets = this.#packetsFullAt - nowMs - (rates.packetsBurst * 1000) / rates.packetsPerSecond;
    const bytes = this.#bytesFullAt - nowMs - (rates.bytesBurst * 1000) / rates.bytesPerSecond;
    // A rest of a rounding error is no debt.
    return Math.ceil(Math.max(0, packets - 1e-6, bytes - 1e-6));
  }
}
