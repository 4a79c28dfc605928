/** Gives something up for a while after it has failed some times in a row. Then one tries again, the others wait for its result. */
export class Breaker {
  readonly #failures: number;
  readonly #openMs: number;
  #inARow = 0;
  #openUntil = 0;

  constructor(rules: { readonly failures: number; readonly openMs: number }) {
    this.#failures = rules.failures;
    this.#openMs = rules.openMs;
  }

  /** Whether to try. */
  admits(nowMs: number): boolean {
    if (this.#inARow < this.#failures) return true;
    if (nowMs < this.#openUntil) return false;
    this.#openUntil = nowMs + this.#openMs;
    return true;
  }

  succeeded(): void {
    this.#inARow = 0;
  }

  /** True when that was the one that opened it. */
  failed(nowMs: number): boolean {
    this.#inARow++;
    this.#openUntil = nowMs + this.#openMs;
    return this.#inARow === this.#failures;
  }
}
