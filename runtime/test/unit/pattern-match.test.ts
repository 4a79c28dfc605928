import assert from "node:assert/strict";
import { RE2JS } from "@bufbuild/re2";
import { createPatternMatch, isPlain } from "../../src/pattern-match.ts";

const ID = "0193c2f0-7a3e-7c1b-9d55-0a1b2c3d4e5f";
const PLAIN = [
  "^(g_[0-9a-f-]{36}|d_[0-9a-f-]{36}_[0-9a-f-]{36})$",
  "^[A-Za-z0-9._-]{1,64}$",
  "^[a-zA-Z0-9]+$",
  "^[a-z][a-z0-9._-]{2,31}$",
  "^$",
  "^ab?c{2}$",
];
const NOT_PLAIN = [
  "[a-z]",
  "^[a-z]",
  "^(a+)+$",
  "^(a|b)*$",
  "^a*b*$",
  "^[^a]$",
  "^.$",
  "^\\d$",
  "^(?i)a$",
  "^((a))$",
  "^[[:alpha:]]$",
  "^[]$",
  "^a|b$",
  "^()$",
  "^(|a)$",
  "^a{1,1000}$",
];

/** Texts that match, and what is a character away from them. */
function textsAround(...texts: string[]): string[] {
  const strange = ["", "\n", "A", "é", "\u{1f600}", "\ud800", "_", "-", "]", " ", "\0"];
  return texts.flatMap((text) => [
    text,
    ...strange.flatMap((s) => [text + s, s + text, text.slice(0, -1) + s, s + text.slice(1), s]),
  ]);
}

describe("patterns", () => {
  it("that are plain match as RE2 matches them", () => {
    const texts = textsAround(
      `g_${ID}`,
      `d_${ID}_${ID}`,
      "x".repeat(64),
      "x".repeat(32),
      "abc",
      "abcc",
      "acc",
      "a.b-c_d",
    );
    const match = createPatternMatch();
    for (const pattern of PLAIN) {
      assert.ok(isPlain(pattern), pattern);
      const re2 = RE2JS.compile(pattern);
      for (const text of texts)
        assert.equal(match(pattern, text), re2.test(text), `${pattern} on ${JSON.stringify(text)}`);
      assert.ok(
        texts.some((text) => re2.test(text)),
        pattern,
      );
      assert.ok(!texts.every((text) => re2.test(text)), pattern);
    }
  });

  it("that the engine may see otherwise, or be slow with, are left to RE2", () => {
    for (const pattern of NOT_PLAIN) assert.ok(!isPlain(pattern), pattern);
    const match = createPatternMatch();
    assert.ok(match("^(?i)a$", "A"));
    assert.ok(match("^(a+)+$", "a".repeat(64)));
    const startedAt = performance.now();
    assert.ok(!match("^(a+)+$", `${"a".repeat(64)}b`));
    assert.ok(performance.now() - startedAt < 5000);
  });

  it("that are none throw", () => {
    assert.throws(() => createPatternMatch()("(", ""));
  });

  it("may be many", () => {
    const match = createPatternMatch();
    for (let i = 0; i < 1000; i++) assert.ok(match(`^${i}$`, String(i)));
  });
});
