import assert from "node:assert/strict";
import { silentLog } from "@oceanchat/runtime/testing";
import { startSweep } from "../../src/sweep.ts";
import { fakeGroups } from "../support/fakes.ts";

describe("sweep", () => {
  it("runs again and again, whatever goes wrong, until it is stopped", async () => {
    const { core } = fakeGroups();
    const third = Promise.withResolvers<void>();
    let rounds = 0;
    const failing = {
      ...core,
      finishUnfinished: async () => {
        if (++rounds === 3) third.resolve();
        throw new Error("the store is away");
      },
    };
    const stop = startSweep(failing, silentLog, 1);
    await third.promise;
    await stop();
    const seen = rounds;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(rounds, seen);
  });
});
