import assert from "node:assert/strict";
import { Turns } from "@oceanchat/runtime/turns";

describe("turns", () => {
  it("begin in the order in which they were added, after the code that runs", async () => {
    const turns = new Turns();
    const begun: number[] = [];
    for (let i = 0; i < 5; i++) turns.add(() => void begun.push(i));
    assert.deepEqual(begun, []);
    await Promise.resolve();
    assert.deepEqual(begun, [0, 1, 2, 3, 4]);
  });

  it("begin a chain in one turn of the event loop", async () => {
    const turns = new Turns();
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    const link = (left: number) =>
      new Promise<void>((resolve) => turns.add(() => (left === 0 ? resolve() : resolve(link(left - 1)))));
    await link(20);
    assert.equal(turned, false);
  });

  it("let the event loop turn under a chain without end", async () => {
    const turns = new Turns();
    let ended = false;
    let links = 0;
    const link = () => {
      links++;
      if (!ended) turns.add(link);
    };
    turns.add(link);
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended = true;
    assert.ok(links > 1);
  });

  it("keep the order of what is more than a turn's share", async () => {
    const turns = new Turns();
    const begun: number[] = [];
    const all = Promise.withResolvers<void>();
    const add = (n: number) =>
      turns.add(() => {
        begun.push(n);
        if (n < 100) add(n + 1000);
        if (begun.length === 600) all.resolve();
      });
    for (let n = 0; n < 500; n++) add(n);
    await all.promise;
    const expected = [...Array.from({ length: 500 }, (_, n) => n), ...Array.from({ length: 100 }, (_, n) => n + 1000)];
    assert.deepEqual(begun, expected);
  });
});
