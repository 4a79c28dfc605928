import type { Folded } from "./folding.ts";

const NONE = -1;

/**
 * Finds many words in one pass over a text (Aho and Corasick, 1975). Transitions lie in one open hash table, those of the root in
 * an array: most texts hardly leave it.
 */
export class Automaton {
  readonly #root = new Int32Array(0x10000);
  readonly #fail: Int32Array;
  /** The word that ends in a state. */
  readonly #word: Int32Array;
  /** The next shorter state in which a word ends; 0 for none. */
  readonly #shorter: Int32Array;
  readonly #mask: number;
  readonly #fromStates: Int32Array;
  readonly #fromUnits: Uint16Array;
  readonly #targets: Int32Array;

  /** Different words, none of them empty. */
  constructor(words: readonly Uint16Array[]) {
    const children = [new Map<number, number>()];
    const ends: number[] = [NONE];
    for (const [index, word] of words.entries()) addWord(children, ends, word, index);
    const states = children.length;
    const slots = 2 ** Math.ceil(Math.log2(states * 2 + 2));
    this.#mask = slots - 1;
    this.#fromStates = new Int32Array(slots).fill(NONE);
    this.#fromUnits = new Uint16Array(slots);
    this.#targets = new Int32Array(slots);
    this.#word = Int32Array.from(ends);
    this.#fail = new Int32Array(states);
    this.#shorter = new Int32Array(states);
    for (const [unit, target] of children[0] ?? []) this.#root[unit] = target;
    for (let state = 1; state < states; state++) {
      for (const [unit, target] of children[state] ?? []) this.#connect(state, unit, target);
    }
    this.#link(children);
  }

  /** Gives each word that ends at a unit of the text, with the position of that unit; stops when told so by `true`. */
  search(text: Folded, found: (word: number, last: number) => boolean): void {
    let state = 0;
    for (let index = 0; index < text.length; index++) {
      state = this.#step(state, text.units[index] ?? 0);
      let ending = this.#word[state] === NONE ? (this.#shorter[state] ?? 0) : state;
      for (; ending !== 0; ending = this.#shorter[ending] ?? 0) {
        if (found(this.#word[ending] ?? NONE, index)) return;
      }
    }
  }

  #step(from: number, unit: number): number {
    let state = from;
    while (state !== 0) {
      const target = this.#targetOf(state, unit);
      if (target !== NONE) return target;
      state = this.#fail[state] ?? 0;
    }
    return this.#root[unit] ?? 0;
  }

  #targetOf(state: number, unit: number): number {
    for (let slot = slotOf(state, unit) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const owner = this.#fromStates[slot];
      if (owner === NONE) return NONE;
      if (owner === state && this.#fromUnits[slot] === unit) return this.#targets[slot] ?? NONE;
    }
  }

  #connect(state: number, unit: number, target: number): void {
    let slot = slotOf(state, unit) & this.#mask;
    while (this.#fromStates[slot] !== NONE) slot = (slot + 1) & this.#mask;
    this.#fromStates[slot] = state;
    this.#fromUnits[slot] = unit;
    this.#targets[slot] = target;
  }

  /** Breadth first: what a state falls back to is shorter, hence ready. */
  #link(children: readonly Map<number, number>[]): void {
    const queue = [...(children[0]?.values() ?? [])];
    for (const next of queue) {
      const fail = this.#fail[next] ?? 0;
      this.#shorter[next] = this.#word[fail] === NONE ? (this.#shorter[fail] ?? 0) : fail;
      for (const [unit, target] of children[next] ?? []) {
        this.#fail[target] = this.#step(fail, unit);
        queue.push(target);
      }
    }
  }
}

function addWord(children: Map<number, number>[], ends: number[], word: Uint16Array, index: number): void {
  let state = 0;
  for (const unit of word) {
    let next = children[state]?.get(unit);
    if (next === undefined) {
      next = children.length;
      children.push(new Map());
      ends.push(NONE);
      children[state]?.set(unit, next);
    }
    state = next;
  }
  ends[state] = index;
}

function slotOf(state: number, unit: number): number {
  const mixed = Math.imul(state, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}
