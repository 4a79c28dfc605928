import assert from "node:assert/strict";
import {
  haveAll,
  indexTokenOf,
  indexTokensOf,
  tokenRangeOf,
  type WordQuery,
  wordQueriesOf,
  wordsOf,
} from "../../src/words.ts";

const ALL = 1000;
const words = (text: string) => wordsOf([text], ALL);
const finds = (query: string, text: string) => haveAll(words(text), wordQueriesOf(query, ALL));
const whole = (...all: string[]) => all.map((word) => ({ word, prefix: false }));

/** Whether an index with these tokens has what is looked for. */
function isAmong(tokens: readonly string[], query: WordQuery): boolean {
  const token = indexTokenOf(query);
  const [from, to] = tokenRangeOf(query.word);
  return token === undefined ? tokens.some((each) => each >= from && each < to) : tokens.includes(token);
}

/** Numbers below `n` that are the same for the same seed (mulberry32). */
function randomOf(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

describe("wordsOf", () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ["words and punctuation", "Hello, world! (hello)", ["hello", "world"]],
    ["digits", "Room 101, 3.14", ["room", "101", "3", "14"]],
    ["diacritics, composed", "Café Ångström naïve", ["cafe", "angstrom", "naive"]],
    ["diacritics, decomposed", "Cafe\u0301", ["cafe"]],
    ["sharp s", "Straße STRASSE ẞ", ["strasse", "ss"]],
    ["a dotted capital I and a dotless i", "İstanbul ısı", ["istanbul", "isi"]],
    ["Greek accents and the final sigma", "Οδός ΟΔΟΣ", ["οδοσ"]],
    ["Cyrillic", "Ёлка йод ЙОД", ["елка", "иод"]],
    ["ligatures", "ﬁnal eﬃcient", ["final", "efficient"]],
    ["full width", "ＡＢＣ１２３", ["abc123"]],
    ["half width katakana", "ｶﾞｷﾞ", ["ガギ"]],
    ["Chinese", "北京大学", ["北京", "京大", "大学"]],
    ["a single character", "好", ["好"]],
    ["Chinese with punctuation", "你好，世界。", ["你好", "世界"]],
    [
      "Japanese in three scripts, with a long vowel",
      "東京のラーメン",
      ["東京", "京の", "のラ", "ラー", "ーメ", "メン"],
    ],
    ["Korean, composed and decomposed", `한국어 ${"한국어".normalize("NFD")}`, ["한국", "국어"]],
    ["mixed scripts", "iPhone手机2部", ["iphone", "手机", "2", "部"]],
    ["characters beyond the basic plane", "𠮷野家", ["𠮷野", "野家"]],
    ["mathematical letters", "𝐇ello", ["hello"]],
    ["signs of vowels in scripts that need them", "हिन्दी", ["हिन्दी"]],
    ["Arabic", "مرحبا بالعالم", ["مرحبا", "بالعالم"]],
    ["emoji alone", "👍🏽 👨‍👩‍👧 !!! …", []],
    ["emoji between words", "yes👍no", ["yes", "no"]],
    ["nothing", "", []],
  ];
  for (const [name, text, expected] of cases) it(name, () => assert.deepEqual(words(text), expected));

  it("takes each word once, of several texts, up to the limit", () => {
    assert.deepEqual(wordsOf(["a b", "b c d"], 3), ["a", "b", "c"]);
  });

  it("tells words apart by their first 32 characters", () => {
    assert.deepEqual(words(`${"x".repeat(40)} ${"𝐱".repeat(33)}`), ["x".repeat(32)]);
  });
});

describe("wordQueriesOf", () => {
  it("takes the last word as a beginning, all others whole", () => {
    assert.deepEqual(wordQueriesOf("Grüße an ali", ALL), [...whole("grusse", "an"), { word: "ali", prefix: true }]);
    assert.deepEqual(wordQueriesOf("an an", ALL), whole("an"));
  });

  it("takes Chinese as pairs, and a single character as a beginning", () => {
    assert.deepEqual(wordQueriesOf("北京大", ALL), whole("北京", "京大"));
    assert.deepEqual(wordQueriesOf("好 an", ALL), [
      { word: "好", prefix: true },
      { word: "an", prefix: true },
    ]);
    assert.deepEqual(wordQueriesOf("iphone手机", ALL), whole("iphone", "手机"));
  });

  it("is empty without a letter or digit, and bounded", () => {
    assert.deepEqual(wordQueriesOf(" ?! 👍 ", ALL), []);
    assert.equal(wordQueriesOf("a b c d e", 3).length, 3);
  });
});

describe("indexTokensOf", () => {
  it("gives the beginnings of words, each once, and pairs that have no space between them", () => {
    assert.deepEqual(indexTokensOf(["contract", "contact", "an", "bay", "𠮷野", "野家", "野", "हिन्दी"]), [
      ...["^con", "^an", "^bay", "𠮷野", "^𠮷", "野家", "^野", "野", "^हिन"],
    ]);
    assert.deepEqual(indexTokensOf([]), []);
  });
});

describe("indexTokenOf", () => {
  it("is what all words have that begin so, or of a pair itself", () => {
    const tokens = ["contr", "con", "co", "c", "野", "𝐱yz"].map((word) => indexTokenOf({ word, prefix: true }));
    assert.deepEqual(tokens, ["^con", "^con", undefined, undefined, "^野", "^𝐱yz"]);
    const ofWhole = whole("contract", "co", "京大").map(indexTokenOf);
    assert.deepEqual(ofWhole, ["^con", "^co", "京大"]);
  });
});

describe("words and queries", () => {
  it("find what they should and nothing else", () => {
    for (const [query, text] of [
      ["hel", "Hello world"],
      ["WORLD hel", "hello world"],
      ["cafe", "un CAFÉ"],
      ["café", "un cafe"],
      ["ｗｏｒ", "world"],
      ["京大", "北京大学"],
      ["大", "北京大学"],
      ["strasse", "Straße"],
      ["οδοσ", "οδός"],
    ] as const)
      assert.ok(finds(query, text), `${query} in ${text}`);
    for (const [query, text] of [
      ["hel wor", "hello world"],
      ["orld", "hello world"],
      ["京学", "北京大学"],
      ["hello mars", "hello world"],
    ] as const)
      assert.ok(!finds(query, text), `${query} not in ${text}`);
  });

  it("find a text by every beginning of every word of it (300 random texts)", () => {
    const alphabet = [..."abzéßøΣςщйÀﬁİı09北京のガー한글ｶﾞ𠮷𝐇e\u0301हिश", " ", " ", "-", "👍", "。"];
    const graphemes = new Intl.Segmenter("und", { granularity: "grapheme" });
    for (let seed = 1; seed <= 300; seed++) {
      const random = randomOf(seed);
      const text = Array.from({ length: 1 + random(40) }, () => alphabet[random(alphabet.length)]).join("");
      for (const word of text.split(/[^\p{L}\p{N}\p{M}]+/u)) {
        const characters = [...graphemes.segment(word)].map(({ segment }) => segment);
        for (let length = 1; length <= characters.length; length++) {
          const beginning = characters.slice(0, length).join("");
          if (!/[\p{L}\p{N}]/u.test(beginning)) continue;
          assert.ok(finds(beginning, text), `seed ${seed}: ${beginning} in ${text}`);
          const tokens = indexTokensOf(words(text));
          for (const query of wordQueriesOf(beginning, ALL))
            assert.ok(isAmong(tokens, query), `${beginning} in ${tokens}`);
        }
      }
    }
  });
});
