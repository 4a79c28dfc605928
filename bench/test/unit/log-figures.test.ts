import assert from "node:assert/strict";
import { figureRow, figuresOf, reached } from "../../src/log/figures.ts";

const RATE = { name: "writer", unit: "/s", at: "perSecond.writer", ceiling: "perSecond.bare", atLeast: 0.6 };

describe("the figures of the message log", () => {
  it("are taken out of a piece's line, with their share of the ceiling", () => {
    const figures = figuresOf({ perSecond: { writer: [500, 700, 650], bare: [1000, 900, 1100] } }, [RATE]);
    assert.deepEqual(
      figures.map(({ spread, share }) => [spread.min, spread.median, spread.max, share]),
      [[500, 650, 700, 0.65]],
    );
    assert.equal(reached(figures), true);
    assert.match(figureRow(figures[0] ?? assert.fail()), /writer, \/s +500 +650 +700 +1,000 +65 % +reaches 60 %$/);
  });

  it("say when they miss what is demanded", () => {
    const figures = figuresOf({ perSecond: { writer: 599, bare: 1000 } }, [RATE]);
    assert.equal(reached(figures), false);
    assert.match(figureRow(figures[0] ?? assert.fail()), / 599 +1,000 +60 % +MISSES 60 %$/);
  });

  it("show how many times as long a time is", () => {
    const figures = figuresOf({ p50: 3, bare: 2 }, [{ name: "page", unit: "ms", at: "p50", ceiling: "bare" }]);
    assert.match(figureRow(figures[0] ?? assert.fail()), /page, ms +3 +2 +1\.5 ×$/);
    assert.equal(reached(figures), true);
  });

  it("are an error when the piece doesn't say them", () => {
    assert.throws(() => figuresOf({ perSecond: { bare: 1 } }, [RATE]), /no number at perSecond\.writer/);
    assert.throws(() => figuresOf({ perSecond: { writer: ["1"], bare: 1 } }, [RATE]), /no number at perSecond\.writer/);
  });
});
