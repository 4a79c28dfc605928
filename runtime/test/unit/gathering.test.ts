import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { Gathering } from "../../src/gathering.ts";

function setUp() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const state = { flushes: 0 };
  const gathering = new Gathering(() => {
    state.flushes++;
    resolve();
  });
  return { gathering, state, flushed: promise };
}

describe("what gathers for a stream", () => {
  it("leaves at the end of the turn while few calls are under way", async () => {
    const { gathering, state } = setUp();
    for (let waiting = 1; waiting <= 3; waiting++) gathering.added(waiting, 3, 256);
    assert.equal(state.flushes, 0);
    await turn();
    assert.equal(state.flushes, 1);
  });

  it("waits for more while many are under way, for a moment", async () => {
    const { gathering, state, flushed } = setUp();
    const startedAt = performance.now();
    gathering.added(1, 4, 256);
    gathering.added(2, 4, 256);
    await flushed;
    assert.ok(performance.now() - startedAt >= 1);
    assert.equal(state.flushes, 1);
  });

  it("leaves at the end of the turn as soon as it is enough, many or large, or too few are under way", async () => {
    for (const [waiting, underWay, limit] of [
      [8, 4, 256],
      [3, 4, 48],
      [3, 3, 256],
    ] as const) {
      const { gathering, state } = setUp();
      gathering.added(2, 100, 256);
      gathering.added(waiting, underWay, limit);
      gathering.added(waiting + 1, underWay, limit);
      await turn();
      assert.equal(state.flushes, 1);
    }
  });

  it("is not written when nothing waits any more", async () => {
    const { gathering, state, flushed } = setUp();
    gathering.added(1, 0, 256);
    gathering.done();
    gathering.added(1, 100, 256);
    gathering.done();
    gathering.added(1, 100, 256);
    await flushed;
    assert.equal(state.flushes, 1);
  });
});
