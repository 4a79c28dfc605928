import { RE2JS } from "@bufbuild/re2";

/** Says whether a pattern of RE2's syntax is found in a text. */
export type PatternMatch = (pattern: string, text: string) => boolean;

const CHARACTER = "[A-Za-z0-9_:@ -]";
/** A character, or one of a class of them, perhaps repeated. */
const PIECE = `(?:${CHARACTER}|\\[[A-Za-z0-9._-]+\\])(?:[?+*]|\\{[0-9]{1,3}(?:,[0-9]{1,3})?\\})?`;
/** Pieces one after another, or a choice between such in parentheses; nothing that repeats what repeats. */
const PLAIN = new RegExp(`^\\^(?:${PIECE}|\\((?:${PIECE})+(?:\\|(?:${PIECE})+)*\\))*\\$$`);
const UNBOUNDED = /[+*]/g;

/** Patterns stand in the contracts, so there are few; whoever makes more is served too, only slower. */
const MAX_PATTERNS = 256;

interface Tested {
  test(text: string): boolean;
}

/**
 * Matches patterns. Those that mean the same to RE2 and to the engine's own expressions, and that can't take long there, are matched by
 * the latter, which is many times as fast; all others by RE2. Throws for what is no pattern.
 */
export function createPatternMatch(): PatternMatch {
  const known = new Map<string, Tested>();
  return (pattern, text) => {
    let tested = known.get(pattern);
    if (tested === undefined) {
      tested = isPlain(pattern) ? new RegExp(pattern, "u") : RE2JS.compile(pattern);
      if (known.size >= MAX_PATTERNS) known.clear();
      known.set(pattern, tested);
    }
    return tested.test(text);
  };
}

/** Whether a pattern may be left to the engine: anchored, of plain characters and classes, and with one unbounded repeat at most. */
export function isPlain(pattern: string): boolean {
  return PLAIN.test(pattern) && (pattern.match(UNBOUNDED)?.length ?? 0) <= 1;
}
