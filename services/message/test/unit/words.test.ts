import assert from "node:assert/strict";
import { Folding } from "../../src/core/words/folding.ts";
import { parseWordList } from "../../src/core/words/word-list.ts";
import { SensitiveWords } from "../../src/core/words.ts";
import { uuid } from "../support/fakes.ts";

const folding = new Folding();
const listed = (...lines: string[]) => new SensitiveWords(folding, parseWordList(lines.join("\n")));
const masked = (words: SensitiveWords, text: string, groupId?: string) => words.find(text, groupId).masked;

describe("sensitive words", () => {
  const words = listed("mask casino", "reject *badword*", "flag 赌博", "mask foo bar", "mask ass", "mask straße");

  for (const [how, text, expected] of [
    ["in another case", "the CaSiNo is", "the ****** is"],
    ["in full width", "ＣＡＳＩＮＯ!", "******!"],
    ["with characters that can't be seen", "c\u200ba\u00ads\u2060ino", "*********"],
    ["with accents, composed or not", "cásin\u0303o", "*******"],
    ["with Cyrillic look-alikes", "саsіnо", "******"],
    ["with figures and signs for letters", "c@s1n0", "******"],
    ["in mathematical letters", "𝐜𝐚𝐬𝐢𝐧𝐨", "************"],
    ["over several spaces", "a foo \t BAR!", "a *********!"],
    ["twice", "casino casino", "****** ******"],
  ] as const) {
    it(`are found ${how}`, () => assert.equal(masked(words, text), expected));
  }

  for (const text of ["casinos", "class", "4 55 455", "casin", "c a s i n o"]) {
    it(`are not found in ${JSON.stringify(text)}`, () => assert.equal(words.find(text, undefined).action, undefined));
  }

  it("are found in longer words only where the rule says so", () => {
    assert.equal(words.find("xBadWordx", undefined).action, "reject");
    const ends = listed("flag pre*", "flag *post");
    assert.equal(ends.find("prefix", undefined).action, "flag");
    assert.equal(ends.find("xpre", undefined).action, undefined);
    assert.equal(ends.find("outpost", undefined).action, "flag");
    assert.equal(ends.find("posture", undefined).action, undefined);
  });

  it("are found anywhere in scripts without spaces", () => {
    assert.equal(words.find("他去赌博吧", undefined).action, "flag");
  });

  it("count by the severest that is found, and only masked ones are masked", () => {
    assert.deepEqual(words.find("赌博 casino", undefined), { action: "mask", masked: "赌博 ******" });
    assert.equal(words.find("赌博 casino badword", undefined).action, "reject");
  });

  it("are all found where they overlap", () => {
    assert.equal(masked(listed("mask *abcd*", "mask *cdef*", "mask *bc*"), "xabcdefx"), "x******x");
    assert.equal(masked(listed("mask *bc*", "mask abcde"), "abcd"), "a**d");
  });

  it("of a group are found there alone", () => {
    const list = listed("mask everywhere", `[group ${uuid(7)}]`, "mask here", "[everywhere]", "mask too");
    assert.equal(masked(list, "everywhere here too", uuid(7)), "********** **** ***");
    assert.equal(masked(list, "everywhere here too", uuid(8)), "********** here ***");
    assert.equal(masked(list, "everywhere here too"), "********** here ***");
  });

  it("keep the text's length, so that entities still fit", () => {
    const text = "ﬁ 𝐜𝐚𝐬𝐢𝐧𝐨 ㎏ \ud83d\ude00 casino";
    assert.equal(masked(words, text).length, text.length);
  });

  it("agree with a search word by word, in random texts", () => {
    const random = lcg(20_261_123);
    const letters = "abc ";
    const word = (length: number) =>
      Array.from({ length }, () => letters[random(3)])
        .join("")
        .trim();
    for (let round = 0; round < 300; round++) {
      const list = [...new Set(Array.from({ length: 1 + random(6) }, () => word(1 + random(4))))];
      const text = Array.from({ length: random(40) }, () => letters[random(4)])
        .join("")
        .replace(/ +/g, " ");
      const found = masked(listed(...list.map((each) => `mask *${each}*`)), text);
      assert.equal(found, naive(text, list), JSON.stringify({ list, text }));
    }
  });
});

describe("a list of words", () => {
  it("may have comments, empty lines and any line ends", () => {
    const rules = parseWordList("# words\r\n\r\n  reject two words \n");
    assert.deepEqual(rules, [
      { action: "reject", groupId: undefined, word: "two words", openStart: false, openEnd: false },
    ]);
  });

  for (const [line, problem] of [
    ["casino", /line 2 .* action/],
    ["forbid casino", /line 2/],
    ["mask", /line 2/],
    ["mask **", /line 2/],
    ["[group 7]", /line 2/],
    [`mask ${"x".repeat(129)}`, /line 2 .*longer than 128/],
  ] as const) {
    it(`is refused with ${JSON.stringify(line.slice(0, 20))}`, () => {
      assert.throws(() => parseWordList(`mask one\n${line}`), problem);
    });
  }

  it("with nothing but invisible words finds nothing", () => {
    assert.equal(listed("mask \u200b").find("a\u200bb", undefined).action, undefined);
  });
});

function naive(text: string, words: readonly string[]): string {
  const marks = [...text].map(() => false);
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) marks.fill(true, at, at + word.length);
  }
  return [...text].map((letter, index) => (marks[index] ? "*" : letter)).join("");
}

/** Numbers below `limit`, the same in every run. */
function lcg(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
