/** What may be read from a connection. */
export interface AllowanceRates {
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
}

/**
 * Who sends too many packets for so long, without a pause, is closed: what he has sent waits in the network, and while it does
 * nobody notices that he has gone.
 */
const MAX_FLOOD_MS = 20_000;
const PAUSE_MS = 1_000;

/**
 * Two token buckets, of packets and of bytes, in two numbers: the times at which they will be full again. What has arrived is
 * always taken, if need be on credit: the connection is then not read until the credit is paid back.
 */
export class Allowance {
  #packetsFullAt = 0;
  #bytesFullAt = 0;
  #floodSinceMs = 0;
  #floodUntilMs = 0;

  /** Takes a packet. The clock must never go back. */
  take(rates: AllowanceRates, bytes: number, nowMs: number): void {
    this.#packetsFullAt = Math.max(this.#packetsFullAt, nowMs) + 1000 / rates.packetsPerSecond;
    this.#bytesFullAt = Math.max(this.#bytesFullAt, nowMs) + (bytes * 1000) / rates.bytesPerSecond;
  }

  /** How long not to read; 0 when nothing is owed. */
  waitMs(rates: AllowanceRates, nowMs: number): number {
    const packets = this.#packetsOwedMs(rates, nowMs);
    const bytes = this.#bytesFullAt - nowMs - (rates.bytesBurst * 1000) / rates.bytesPerSecond;
    // A rest of a rounding error is no debt.
    return Math.ceil(Math.max(0, packets - 1e-6, bytes - 1e-6));
  }

  /** Whether too many packets come for too long; to be asked after each of them. */
  isFlood(rates: AllowanceRates, nowMs: number): boolean {
    const owedMs = this.#packetsOwedMs(rates, nowMs);
    if (owedMs <= 0) return false;
    if (nowMs - this.#floodUntilMs > PAUSE_MS) this.#floodSinceMs = nowMs;
    this.#floodUntilMs = nowMs + owedMs;
    return this.#floodUntilMs - this.#floodSinceMs > MAX_FLOOD_MS;
  }

  #packetsOwedMs({ packetsPerSecond, packetsBurst }: AllowanceRates, nowMs: number): number {
    return this.#packetsFullAt - nowMs - (packetsBurst * 1000) / packetsPerSecond;
  }
}
