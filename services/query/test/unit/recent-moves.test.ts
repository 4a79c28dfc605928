import assert from "node:assert/strict";
import { RecentMoves } from "../../src/core/recent-moves.ts";

const direct = (a: string, b: string) => `d_${a}_${b}`;

describe("recent moves", () => {
  it("knows the last move of a log until the store has it", () => {
    const recent = new RecentMoves(10);
    recent.note("g_1", 1);
    recent.note("g_2", 2);
    recent.note("g_1", 3);
    recent.note("g_1", 2); // comes again after a new beginning
    assert.deepEqual(
      [...recent.aheadOf(["g_1", "g_2", "g_3"])],
      [
        ["g_1", 3],
        ["g_2", 2],
      ],
    );
    assert.equal(recent.forget(2, 10), false);
    assert.deepEqual([...recent.aheadOf(["g_1", "g_2"])], [["g_1", 3]]);
    recent.forget(3, 10);
    assert.equal(recent.size, 0);
  });

  it("finds direct conversations by either user, and forgets them", () => {
    const recent = new RecentMoves(10);
    recent.note(direct("a", "b"), 1);
    recent.note(direct("b", "c"), 2);
    recent.note("u_b", 3);
    assert.deepEqual([...recent.directOf("b").keys()], [direct("a", "b"), direct("b", "c")]);
    assert.deepEqual([...recent.directOf("a").keys()], [direct("a", "b")]);
    recent.forget(1, 10);
    assert.deepEqual([...recent.directOf("b").keys()], [direct("b", "c")]);
    assert.equal(recent.directOf("a").size, 0);
    assert.equal(recent.aheadOf(["u_b"]).size, 1);
  });

  it("forgets so many at a time", () => {
    const recent = new RecentMoves(10);
    for (let n = 1; n <= 5; n++) recent.note(`g_${n}`, n);
    assert.equal(recent.forget(4, 3), true);
    assert.equal(recent.size, 2);
    assert.equal(recent.forget(4, 3), false);
    assert.equal(recent.size, 1);
  });

  it("says that it can't know rather than be incomplete, until it begins anew", () => {
    const recent = new RecentMoves(2);
    const { generation } = recent;
    for (let n = 1; n <= 3; n++) recent.note(`g_${n}`, n);
    assert.equal(recent.overflowed, true);
    assert.throws(() => recent.aheadOf(["g_1"]), { reason: "ERROR_REASON_UNAVAILABLE" });
    assert.throws(() => recent.directOf("a"), { reason: "ERROR_REASON_UNAVAILABLE" });
    recent.note("g_1", 4);
    assert.equal(recent.size, 0, "and holds nothing meanwhile");
    recent.clear();
    assert.notEqual(recent.generation, generation, "whoever asked before must ask again");
    recent.note("g_1", 4);
    assert.deepEqual([...recent.aheadOf(["g_1"])], [["g_1", 4]]);
  });
});
