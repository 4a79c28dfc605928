/** What happens to a text with a forbidden word: it is refused, the word is made unreadable, or moderators are told. */
export type WordAction = "reject" | "mask" | "flag";

/** A line of the list. */
export interface WordRule {
  readonly action: WordAction;
  /** Only in this group; undefined: everywhere. */
  readonly groupId: string | undefined;
  readonly word: string;
  /** Whether it is found in the middle of longer words too, before and behind. */
  readonly openStart: boolean;
  readonly openEnd: boolean;
}

/** The most rules that a list may have: about 100 MB when they are long. */
export const MAX_RULES = 200_000;
/** The longest word, in UTF-16 code units. */
const MAX_WORD = 128;
const RULE = /^(reject|mask|flag)\s+(\*?)(.*?)(\*?)$/;
const SECTION = /^\[(?:(everywhere)|group\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))\]$/i;

/**
 * Reads a list, one rule on a line: an action and a word or phrase, `mask casino`. With `*` before or behind it is found
 * inside longer words too. `[group <group id>]` begins the rules of one group, `[everywhere]` those of all conversations, as do
 * the lines before the first section. Empty lines and lines that begin with `#` don't count. Throws with the line's number.
 */
export function parseWordList(text: string): WordRule[] {
  const rules: WordRule[] = [];
  let groupId: string | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const section = SECTION.exec(line);
    if (section !== null) {
      groupId = section[2]?.toLowerCase();
      continue;
    }
    const [, action, openStart, word = "", openEnd] = RULE.exec(line) ?? [];
    if (action === undefined || word.trim() === "") throw lineError(index, "must be an action and a word");
    if (word.length > MAX_WORD) throw lineError(index, `is longer than ${MAX_WORD} characters`);
    if (rules.length >= MAX_RULES) throw lineError(index, `is more than ${MAX_RULES} rules`);
    rules.push({
      action: action as WordAction,
      groupId,
      word: word.trim(),
      openStart: openStart === "*",
      openEnd: openEnd === "*",
    });
  }
  return rules;
}

function lineError(index: number, problem: string): Error {
  return new Error(`line ${index + 1} of the word list ${problem}`);
}
