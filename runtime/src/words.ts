/** The longest word that is told apart, in characters: of a longer one the beginning counts. */
const WORD_CHARACTERS = 32;
/** So many characters of a word are its beginning in an index; of Chinese, Japanese and Korean the first one. */
const BEGINNING_CHARACTERS = 3;
/** Tells a beginning from a word: no word holds it. */
const BEGINNING = "^";
/** Greater than every character of a word. */
const LAST = "\u{10ffff}";

/** Scripts that put no space between words; their runs are cut into overlapping pairs of characters. */
const UNSPACED = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}]/u;
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;
/** A run of such characters, or what lies between two of them. */
const RUN =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}]+|[^\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}]+/gu;
/** Marks that a reader of these scripts leaves out when he is in a hurry; in other scripts they make another word. */
const DIACRITICS = /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]\p{M}*)\p{M}/gu;

/** What a text must hold: this word, or one that begins so. */
export interface WordQuery {
  readonly word: string;
  readonly prefix: boolean;
}

/**
 * The words of texts, in the form in which they are compared: without case, width, ligatures and diacritics. Runs of Chinese,
 * Japanese and Korean give each two characters that follow each other, a single one itself. Each once, in order of appearance,
 * the first `limit`.
 */
export function wordsOf(texts: readonly string[], limit: number): string[] {
  const words = new Set<string>();
  for (const text of texts) {
    for (const run of runsOf(text)) {
      for (const word of piecesOf(run)) {
        words.add(word);
        if (words.size >= limit) return [...words];
      }
    }
  }
  return [...words];
}

/**
 * What somebody looks for, at most `limit` of it: each word, the last one as the beginning of a word. A single Chinese, Japanese
 * or Korean character is a beginning wherever it stands, since it is mostly kept as the first of two.
 */
export function wordQueriesOf(text: string, limit: number): WordQuery[] {
  const runs = [...runsOf(text)];
  const queries = new Map<string, WordQuery>();
  for (const [index, run] of runs.entries()) {
    const unspaced = UNSPACED.test(run);
    const pieces = piecesOf(run);
    for (const word of pieces) {
      if (queries.size >= limit) return [...queries.values()];
      const prefix = unspaced ? pieces.length === 1 && [...word].length === 1 : index === runs.length - 1;
      // A word that is asked for whole and as a beginning is asked for whole.
      queries.set(word, { word, prefix: prefix && (queries.get(word)?.prefix ?? true) });
    }
  }
  return [...queries.values()];
}

/**
 * What an index holds of words, each once: their beginnings, since an entry for each word besides would cost more than it is worth. Of
 * Chinese, Japanese and Korean the words too: many begin with the same character.
 */
export function indexTokensOf(words: readonly string[]): string[] {
  const tokens = new Set<string>();
  for (const word of words) {
    if (UNSPACED.test(word)) tokens.add(word);
    tokens.add(beginningOf(word));
  }
  return [...tokens];
}

/**
 * The token of an index that every text has which holds what is looked for; others may have it too. Undefined for a beginning that is
 * shorter than a token: there `tokenRangeOf` is.
 */
export function indexTokenOf({ word, prefix }: WordQuery): string | undefined {
  if (UNSPACED.test(word)) return prefix ? beginningOf(word) : word;
  return prefix && [...word].length < BEGINNING_CHARACTERS ? undefined : beginningOf(word);
}

/** Of words that begin so, and of no others: the tokens from the first one to before the second one. */
export const tokenRangeOf = (beginning: string): readonly [string, string] => [
  `${BEGINNING}${beginning}`,
  `${BEGINNING}${beginning}${LAST}`,
];

/** The words from the first one to before the second one begin so. */
export const wordRangeOf = (beginning: string): readonly [string, string] => [beginning, `${beginning}${LAST}`];

/** The whole word when it is shorter. */
function beginningOf(word: string): string {
  const length = UNSPACED.test(word) ? 1 : BEGINNING_CHARACTERS;
  return `${BEGINNING}${[...word].slice(0, length).join("")}`;
}

/** Whether words hold all that is looked for. */
export function haveAll(words: readonly string[], queries: readonly WordQuery[]): boolean {
  return queries.every(({ word, prefix }) =>
    prefix ? words.some((each) => each.startsWith(word)) : words.includes(word),
  );
}

/** The words of a text, those of several scripts cut where the script begins or ends. */
function* runsOf(text: string): Generator<string> {
  for (const [word] of comparable(text).matchAll(WORD)) {
    for (const [run] of word.matchAll(RUN)) yield run;
  }
}

/** By way of capitals: that is how ß and ẞ become ss, and ı an i. Compatibility forms again, as capitals may bring new ones. */
function comparable(text: string): string {
  const folded = text.normalize("NFKC").toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
  return folded.normalize("NFKD").replaceAll(DIACRITICS, "").normalize("NFKC");
}

function piecesOf(run: string): string[] {
  const characters = [...run];
  if (!UNSPACED.test(run)) return [characters.slice(0, WORD_CHARACTERS).join("")];
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}
