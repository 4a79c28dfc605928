import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import { Turns } from "../../src/core/turns.ts";

describe("turns", () => {
  it("run one after the other for one key, beside each other for others", async () => {
    const turns = new Turns(10);
    const open = Promise.withResolvers<void>();
    const order: string[] = [];
    const first = turns.run("a", async () => {
      await open.promise;
      order.push("a1");
    });
    const second = turns.run("a", async () => order.push("a2"));
    await turns.run("b", async () => order.push("b"));
    open.resolve();
    await Promise.all([first, second]);
    assert.deepEqual(order, ["b", "a1", "a2"]);
  });

  it("go on after a failure", async () => {
    const turns = new Turns(10);
    const first = turns.run("a", async () => {
      throw new Error("no");
    });
    const second = turns.run("a", async () => "yes");
    await assert.rejects(first, /no/);
    assert.equal(await second, "yes");
  });

  it("let only so many wait", async () => {
    const turns = new Turns(1);
    const open = Promise.withResolvers<void>();
    const first = turns.run("a", () => open.promise);
    const second = turns.run("a", async () => "second");
    await refused(
      turns.run("a", async () => "third"),
      "OVERLOADED",
    );
    open.resolve();
    await first;
    assert.equal(await second, "second");
    assert.equal(await turns.run("a", async () => "again"), "again");
  });
});
