import assert from "node:assert/strict";
import { type LaneRules, Lanes } from "@oceanchat/runtime/bus-lanes";
import type { Outcome } from "@oceanchat/runtime/bus-types";
import { silentLog } from "@oceanchat/runtime/testing";

interface Item {
  readonly lane: string;
  readonly n: number;
  attempts: number;
}

/** Lanes that note what happens; resolves when `count` messages are settled. */
function lanesOf(count: number, rules: Partial<LaneRules<Item>>) {
  const done: string[] = [];
  const buried: string[] = [];
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const settled = (item: Item, list: string[], text = "") => {
    list.push(`${item.lane}${item.n}${text}`);
    if (done.length + buried.length === count) resolve();
  };
  const lanes = new Lanes<Item>({
    lanes: 4,
    maxBatch: 4,
    lingerMs: 0,
    log: silentLog,
    handle: async () => {},
    retryDelayMs: () => 1,
    poison: () => undefined,
    done: (item) => settled(item, done),
    bury: async (item, reason) => settled(item, buried, ` ${reason}`),
    ...rules,
  });
  const fill = (lane: string, amount: number) => {
    for (let n = 0; n < amount; n++) lanes.add(lane, { lane, n, attempts: 0 });
  };
  return { lanes, fill, all, done, buried };
}

const names = (batch: readonly Item[]) => batch.map((item) => `${item.lane}${item.n}`);

describe("Lanes", () => {
  it("handles a lane in order, one batch at a time, and lanes beside each other", async () => {
    const running = new Map<string, number>();
    let together = 0;
    const seen: string[] = [];
    const { fill, all } = lanesOf(60, {
      handle: async (batch) => {
        const lane = batch[0]?.lane ?? "";
        running.set(lane, (running.get(lane) ?? 0) + 1);
        assert.equal(running.get(lane), 1, "two batches of a lane at once");
        together = Math.max(
          together,
          [...running.values()].reduce((sum, value) => sum + value),
        );
        seen.push(...names(batch));
        await new Promise((resolve) => setTimeout(resolve, 1));
        running.set(lane, 0);
      },
    });
    for (const lane of ["a", "b", "c", "d", "e", "f"]) fill(lane, 10);
    await all;
    assert.equal(together, 4, "as many lanes at once as allowed, not more");
    for (const lane of ["a", "b", "c", "d", "e", "f"]) {
      const order = seen.filter((name) => name.startsWith(lane));
      assert.deepEqual(
        order,
        Array.from({ length: 10 }, (_, n) => `${lane}${n}`),
      );
    }
  });

  it("keeps nothing of an empty lane", async () => {
    const { lanes, fill, all } = lanesOf(3, {});
    fill("a", 3);
    await all;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(lanes.size, 0);
    assert.equal(lanes.running, 0);
  });

  it("waits for a fuller batch, but not longer than asked", async () => {
    const sizes: number[] = [];
    const { fill, all } = lanesOf(6, {
      lingerMs: 300,
      handle: async (batch) => {
        sizes.push(batch.length);
      },
    });
    fill("a", 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(sizes, []);
    fill("a", 5);
    await all;
    assert.deepEqual(sizes, [4, 2]);
  });

  it("lets lanes that wait go with the one that has waited longest, but none that has failed", async () => {
    const begun: string[] = [];
    const withA: string[] = [];
    let failures = 1;
    const { fill, all } = lanesOf(4, {
      lingerMs: 400,
      retryDelayMs: () => 3000,
      handle: async (batch) => {
        begun.push(names(batch).join());
        if (batch[0]?.lane === "a") setImmediate(() => withA.push(...begun));
        if (batch[0]?.lane === "f" && failures-- > 0) throw new Error("the database is down");
      },
    });
    fill("f", 1);
    while (begun.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    fill("a", 2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    fill("b", 1);
    while (withA.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(withA, ["f0", "a0,a1", "b0"], "b has not waited for a time of its own, and f still waits");
    await all;
  });

  it("tries a failed batch again in the same order while other lanes go on", async () => {
    const seen: string[] = [];
    let failures = 3;
    const { fill, all, done } = lanesOf(8, {
      retryDelayMs: (n) => n * 5,
      handle: async (batch) => {
        if (batch[0]?.lane === "a" && failures-- > 0) throw new Error("the database is down");
        seen.push(...names(batch));
      },
    });
    fill("a", 4);
    fill("b", 4);
    await all;
    assert.deepEqual(done, ["b0", "b1", "b2", "b3", "a0", "a1", "a2", "a3"]);
    assert.deepEqual(seen, done);
  });

  it("counts attempts", async () => {
    const attempts: number[] = [];
    const { fill, all } = lanesOf(1, {
      handle: async (batch) => {
        attempts.push(batch[0]?.attempts ?? -1);
        if (attempts.length < 3) throw new Error("not yet");
      },
    });
    fill("a", 1);
    await all;
    assert.deepEqual(attempts, [0, 1, 2]);
  });

  it("isolates the one bad message and buries it when it is called poison", async () => {
    const handled: string[] = [];
    const { fill, all, buried } = lanesOf(40, {
      maxBatch: 16,
      handle: async (batch) => {
        if (batch.some((item) => item.n === 21)) throw new RangeError("bad");
        handled.push(...names(batch));
      },
      poison: (item, error) => (item.n === 21 && error instanceof RangeError ? "out of range" : undefined),
    });
    fill("a", 40);
    await all;
    assert.deepEqual(buried, ["a21 out of range"]);
    assert.deepEqual(
      handled,
      Array.from({ length: 40 }, (_, n) => `a${n}`).filter((name) => name !== "a21"),
    );
  });

  it("settles each message by its outcome; what is to be retried holds up its lane", async () => {
    const calls: string[][] = [];
    const { fill, all, done, buried } = lanesOf(6, {
      handle: async (batch): Promise<Outcome[]> => {
        calls.push(names(batch));
        return batch.map((item): Outcome => {
          if (item.n === 1) return { dead: "never" };
          return item.n === 2 && item.attempts === 0 ? { retryAfterMs: 10 } : "ack";
        });
      },
    });
    fill("a", 6);
    await all;
    assert.deepEqual(calls, [
      ["a0", "a1", "a2", "a3"],
      ["a2", "a4", "a5"],
    ]);
    assert.deepEqual(buried, ["a1 never"]);
    assert.deepEqual(done, ["a0", "a3", "a2", "a4", "a5"]);
  });

  it("keeps a dead message until it could be buried", async () => {
    let failures = 2;
    const buried: number[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const { fill } = lanesOf(0, {
      handle: async (batch) => batch.map((item): Outcome => (item.n === 1 ? { dead: "never" } : "ack")),
      bury: async (item) => {
        if (failures-- > 0) throw new Error("the stream is full");
        buried.push(item.n);
        resolve();
      },
    });
    fill("a", 3);
    await all;
    assert.deepEqual(buried, [1]);
  });

  it("takes a wrong number of outcomes for a failure", async () => {
    let calls = 0;
    const { fill, all, done } = lanesOf(2, {
      handle: async (batch): Promise<Outcome[]> => (calls++ === 0 ? [] : batch.map(() => "ack")),
    });
    fill("a", 2);
    await all;
    assert.equal(calls, 3, "the two once, then each alone");
    assert.deepEqual(done, ["a0", "a1"]);
  });

  it("ends running batches on close and leaves the rest", async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { lanes, fill, done } = lanesOf(100, {
      handle: async () => {
        begin();
        await gate;
      },
    });
    fill("a", 6);
    await begun;
    const closed = lanes.close(1000);
    open();
    await closed;
    assert.deepEqual(done, ["a0", "a1", "a2", "a3"]);
    assert.deepEqual(names(lanes.leftovers()), ["a4", "a5"]);
  });

  it("does not wait for ever for a batch that hangs", async () => {
    const { lanes, fill, done } = lanesOf(1, { handle: () => new Promise<void>(() => {}) });
    fill("a", 1);
    await lanes.close(20);
    assert.deepEqual(done, []);
  });
});
