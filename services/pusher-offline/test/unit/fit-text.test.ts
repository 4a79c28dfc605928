import assert from "node:assert/strict";
import { fitText } from "../../src/providers/fit-text.ts";

describe("fitText", () => {
  const within = (bytes: number) => (candidate: string) => Buffer.byteLength(candidate) <= bytes;

  it("leaves alone what fits", () => {
    assert.equal(fitText("hello", within(5)), "hello");
  });

  it("keeps as much as fits and shows that there is more", () => {
    assert.equal(fitText("hello world", within(10)), "hello w…");
    assert.equal(fitText("hello world", within(9)), "hello…");
  });

  it("never cuts a character in two, however many code points it has", () => {
    const family = "👨‍👩‍👧‍👦"; // 25 bytes
    assert.equal(fitText(`a${family}${family}`, within(1 + 25 + 24)), `a${family}…`);
    assert.equal(fitText("e\u0301e\u0301e\u0301", within(7)), "e\u0301…");
  });

  it("gives up when nothing fits", () => {
    assert.equal(fitText("hello", within(2)), undefined);
    assert.equal(fitText("hello", within(3)), "…");
  });
});
