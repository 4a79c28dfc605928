/** While so many calls of a stream are under way, what comes next waits for more. */
const BUSY = 4;
/** For how long, in milliseconds. */
const WAIT_MS = 2;
/** With so many, or with this part of what a message may hold, it is worth its message. */
const ENOUGH = 8;
const ENOUGH_PART = 1 / 16;

/**
 * Says when to write what has gathered for a stream. A message costs its writer and its reader several times what an item in it costs, and it
 * keeps items together all the way behind: so one by one they leave at once, at the end of the turn, and under load a few together.
 */
export class Gathering {
  readonly #flush: () => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** To be called with every item: how many wait now, how many calls are under way beside them, and how many items a message may hold. */
  added(waiting: number, underWay: number, limit: number): void {
    if (this.#immediate !== undefined) return;
    if (underWay < BUSY || waiting >= Math.min(ENOUGH, limit * ENOUGH_PART)) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#immediate = setImmediate(this.#run);
    } else {
      this.#timer ??= setTimeout(this.#run, WAIT_MS);
    }
  }

  /** Nothing waits any more. */
  done(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    this.#immediate = undefined;
    this.#flush();
  };
}
