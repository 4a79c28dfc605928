import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { QueryPeers } from "../../src/ports.ts";
import type { Held } from "./tiers.ts";

/** A conversation that moves on while it is read: it grows, is written, cached, forgotten and expires, at random. */
export class World implements Held {
  readonly #log: readonly LogRecord[];
  readonly #random: (n: number) => number;
  readonly #stored = new Set<bigint>();
  readonly #applied = new Set<bigint>();
  readonly #tail = new Set<bigint>();
  #loggedFrom = 1n;
  length: number;
  storeAway = false;

  constructor(log: readonly LogRecord[], random: (n: number) => number) {
    this.#log = log;
    this.#random = random;
    this.length = 1 + random(log.length);
  }

  get records(): readonly LogRecord[] {
    return this.#log.slice(0, this.length);
  }

  get headSeq(): bigint {
    return [...this.#stored].reduce((high, seq) => (seq > high ? seq : high), 0n);
  }

  isStored = (seq: bigint): boolean => this.#stored.has(seq);
  isApplied = (seq: bigint): boolean => this.#applied.has(seq);
  isLogged = (seq: bigint): boolean => seq >= this.#loggedFrom;
  isInTail = (seq: bigint): boolean => this.#tail.has(seq);

  /** Something happens, or nothing. */
  moveOn(): void {
    const what = this.#random(14);
    if (what < 2 && this.length < this.#log.length) this.length++;
    else if (what < 5) this.#write(this.#random(3) === 0);
    else if (what === 5) this.#writeAll();
    else if (what < 8) this.#cache();
    else if (what === 8) this.#tail.clear();
  }

  /** The writers are busy with some records of the next few, or the whole batch of one is done. */
  #write(applyOnly: boolean): void {
    for (let n = 0; n < 6; n++) {
      const seq = this.#firstUnwritten() + BigInt(this.#random(4));
      if (seq > BigInt(this.length)) continue;
      this.#applied.add(seq);
      if (!applyOnly) this.#stored.add(seq);
    }
  }

  #writeAll(): void {
    for (let seq = 1n; seq <= BigInt(this.length); seq++) {
      this.#applied.add(seq);
      this.#stored.add(seq);
    }
  }

  #cache(): void {
    const newest = [...this.#stored].sort((a, b) => (a < b ? -1 : 1)).slice(-10);
    for (const seq of newest) if (this.#random(8) !== 0) this.#tail.add(seq);
    for (const seq of this.#tail) if (seq + 20n < BigInt(this.length)) this.#tail.delete(seq);
  }

  /** The log lets go what is old, which takes days and happens between two calls; never what is not stored. */
  expire(): void {
    const upTo = this.#firstUnwritten();
    if (upTo > this.#loggedFrom) this.#loggedFrom += (upTo - this.#loggedFrom) / 2n + 1n;
    if (this.#loggedFrom > upTo) this.#loggedFrom = upTo;
  }

  #firstUnwritten(): bigint {
    let seq = 1n;
    while (this.#stored.has(seq)) seq++;
    return seq;
  }
}

/** The same port, before and after each of whose answers something happens. */
export function disturbed<T extends object>(port: T, happen: () => void): T {
  return new Proxy(port, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return async (...given: unknown[]) => {
        await Promise.resolve();
        happen();
        const answer: unknown = await Reflect.apply(value, target, given);
        happen();
        return answer;
      };
    },
  });
}

/** A group service that lets everybody read these. */
export const lettingRead = (intervals: Awaited<ReturnType<QueryPeers["intervals"]>>): QueryPeers => ({
  signingKeys: async () => [],
  intervals: async () => intervals,
  groupsOf: async () => [],
  membersOf: async () => [],
});
