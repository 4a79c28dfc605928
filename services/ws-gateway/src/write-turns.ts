/** Has bytes to write out when its turn comes. */
export interface Flushable {
  flush(): void;
}

/** Sockets that are written out before others get their turn: a system call each, about 10 µs. */
const SLICE = 256;

/**
 * Writes out at the end of a turn of the event loop what was gathered in it, so that a socket's bytes leave in one system call,
 * and lets other work in between when thousands of sockets have something to send.
 */
export class WriteTurns {
  #gathering: Flushable[] = [];
  /** How many of them have had their turn. */
  #done = 0;

  /** To be called once until it is flushed. */
  add(flushable: Flushable): void {
    if (this.#gathering.push(flushable) === 1) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    const end = Math.min(this.#gathering.length, this.#done + SLICE);
    for (; this.#done < end; this.#done++) this.#gathering[this.#done]?.flush();
    if (this.#done < this.#gathering.length) {
      setImmediate(this.#flush);
      return;
    }
    this.#gathering = [];
    this.#done = 0;
  };
}
