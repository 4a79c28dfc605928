import { shared } from "@oceanchat/runtime/fail";

const MAX_PER_GROUP = 256;
const MAX_IN_ALL = 10_000;

/**
 * Lets this process change a group once at a time. Only the store's compare-and-set decides between processes; this spares
 * the changes of one process from failing at it.
 */
export class GroupTurns {
  readonly #waiting = new Map<string, (() => void)[]>();
  #size = 0;

  async run<T>(groupId: string, act: () => Promise<T>): Promise<T> {
    await this.#turn(groupId);
    try {
      return await act();
    } finally {
      this.#next(groupId);
    }
  }

  async #turn(groupId: string): Promise<void> {
    const waiting = this.#waiting.get(groupId);
    if (this.#size >= MAX_IN_ALL || (waiting !== undefined && waiting.length >= MAX_PER_GROUP)) {
      throw shared.overloaded("too many changes of groups wait");
    }
    this.#size++;
    if (waiting === undefined) this.#waiting.set(groupId, []);
    else await new Promise<void>((resolve) => waiting.push(resolve));
  }

  #next(groupId: string): void {
    this.#size--;
    const next = this.#waiting.get(groupId)?.shift();
    if (next === undefined) this.#waiting.delete(groupId);
    else next();
  }
}
