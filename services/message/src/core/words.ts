import { Automaton } from "./words/automaton.ts";
import type { Folding } from "./words/folding.ts";
import type { WordAction, WordRule } from "./words/word-list.ts";

/** What was found in a text. */
export interface WordFindings {
  /** The severest action of what was found; undefined: nothing was. */
  readonly action: WordAction | undefined;
  /** The text with what is to be masked made of `*`: of the same length in UTF-16 code units. */
  readonly masked: string;
}

/** All rules for one folded word. */
interface Entry {
  readonly units: Uint16Array;
  readonly rules: WordRule[];
  readonly hasLetters: boolean;
}

const SEVERITY: Readonly<Record<WordAction, number>> = { flag: 1, mask: 2, reject: 3 };
const LETTER = /\p{L}/u;

/** The words that an installation doesn't want to be said, ready to be looked for. */
export class SensitiveWords {
  readonly #folding: Folding;
  readonly #entries: readonly Entry[];
  readonly #automaton: Automaton | undefined;

  constructor(folding: Folding, rules: readonly WordRule[]) {
    this.#folding = folding;
    const entries = new Map<string, Entry>();
    for (const rule of rules) {
      const { units, length } = folding.fold(rule.word);
      if (length === 0) continue;
      const key = units.subarray(0, length).join();
      const known = entries.get(key);
      if (known !== undefined) known.rules.push(rule);
      else entries.set(key, { units: units.slice(0, length), rules: [rule], hasLetters: LETTER.test(rule.word) });
    }
    this.#entries = [...entries.values()];
    this.#automaton = this.#entries.length === 0 ? undefined : new Automaton(this.#entries.map(({ units }) => units));
  }

  /** Looks for the words that count everywhere, and in that group. */
  find(text: string, groupId: string | undefined): WordFindings {
    if (this.#automaton === undefined || text === "") return { action: undefined, masked: text };
    const folded = this.#folding.fold(text);
    let action: WordAction | undefined;
    const masks: { start: number; end: number }[] = [];
    this.#automaton.search(folded, (word, last) => {
      const entry = this.#entries[word];
      if (entry === undefined) return false;
      const start = folded.starts[last - entry.units.length + 1] ?? 0;
      const end = folded.ends[last] ?? 0;
      for (const rule of entry.rules) {
        if (rule.groupId !== undefined && rule.groupId !== groupId) continue;
        if (!this.#counts(text, start, end, rule, entry)) continue;
        if (action === undefined || SEVERITY[rule.action] > SEVERITY[action]) action = rule.action;
        if (rule.action === "mask") masks.push({ start, end });
      }
      return action === "reject";
    });
    return { action, masked: mask(text, masks) };
  }

  /** Words are found whole: "class" holds no shorter word. And figures that look like letters are figures where no letter is. */
  #counts(text: string, start: number, end: number, rule: WordRule, { hasLetters }: Entry): boolean {
    if (!rule.openStart && this.#goesOn(text, start, start - 1)) return false;
    if (!rule.openEnd && this.#goesOn(text, end - 1, end)) return false;
    return !hasLetters || LETTER.test(text.slice(start, end));
  }

  /** Whether the word goes on beyond its edge. */
  #goesOn(text: string, inside: number, outside: number): boolean {
    if (outside < 0 || outside >= text.length) return false;
    return this.#folding.isWord(text.charCodeAt(inside)) && this.#folding.isWord(text.charCodeAt(outside));
  }
}

function mask(text: string, stretches: readonly { start: number; end: number }[]): string {
  if (stretches.length === 0) return text;
  const parts: string[] = [];
  let done = 0;
  for (const { start, end } of [...stretches].sort((a, b) => a.start - b.start)) {
    if (end <= done) continue;
    const from = Math.max(start, done);
    parts.push(text.slice(done, from), "*".repeat(end - from));
    done = end;
  }
  parts.push(text.slice(done));
  return parts.join("");
}
