import { shared } from "@oceanchat/runtime/fail";

/** Runs what has the same key one after the other, so that of many registrations of one name only one hashes a password. */
export class Turns {
  readonly #limit: number;
  readonly #last = new Map<string, Promise<unknown>>();
  #waiting = 0;

  /** `limit`: how many may wait, of all keys together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    if (before === undefined) return this.#begin(key, task());
    if (this.#waiting >= this.#limit) throw shared.overloaded("too many registrations wait");
    this.#waiting++;
    const left = () => {
      this.#waiting--;
    };
    before.then(left, left);
    return this.#begin(key, before.then(task, task));
  }

  #begin<T>(key: string, turn: Promise<T>): Promise<T> {
    this.#last.set(key, turn);
    const over = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    turn.then(over, over);
    return turn;
  }
}
