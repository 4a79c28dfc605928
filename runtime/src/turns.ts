/** What is begun in one turn of the event loop. Enough that setting up the next one costs nothing beside it. */
const PER_TURN = 64;

/**
 * Begins one thing after another, in the order in which they were added: after the code that runs now, but in the same turn of the
 * event loop, so that a chain of calls takes one. What is more than a turn's share begins in the next, so that sockets and timers are
 * looked after however much is added.
 */
export class Turns {
  #waiting: (() => void)[] = [];
  #begun = 0;
  #isSet = false;
  #immediate: NodeJS.Immediate | undefined;

  /** `begin` must not throw. As many wait as callers add: they bound how many they are. */
  add(begin: () => void): void {
    this.#waiting.push(begin);
    if (this.#isSet || this.#begun >= PER_TURN) return;
    this.#isSet = true;
    queueMicrotask(this.#run);
  }

  readonly #run = (): void => {
    this.#isSet = false;
    this.#immediate ??= setImmediate(this.#next);
    const now = this.#waiting.splice(0, PER_TURN - this.#begun);
    this.#begun += now.length;
    for (const begin of now) begin();
  };

  readonly #next = (): void => {
    this.#immediate = undefined;
    this.#begun = 0;
    if (this.#waiting.length > 0 && !this.#isSet) this.#run();
  };
}
