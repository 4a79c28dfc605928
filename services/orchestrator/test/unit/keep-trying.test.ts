import assert from "node:assert/strict";
import { type Bus, PublishError, type PublishFailure } from "@oceanchat/runtime/bus-types";
import type { Patience } from "../../src/bus/keep-trying.ts";
import { openPush } from "../../src/bus.ts";

describe("openPush", () => {
  let time: number;
  let failures: PublishFailure[];
  let published: string[];
  let told: number;

  const patience: Patience = {
    now: () => time,
    pause: async (ms) => {
      time += ms;
    },
    onTrouble: () => told++,
  };
  const bus: Pick<Bus, "publish"> = {
    publish: async (subject, data, { messageId }) => {
      published.push(`${subject} ${messageId} ${data.length}`);
      const failure = failures.shift();
      if (failure !== undefined) throw new PublishError(failure, "not now");
      return { sequence: 1, duplicate: false };
    },
  };
  const task = { data: new Uint8Array(7), messageId: "r1:digest", traceparent: "" };

  beforeEach(() => {
    time = 0;
    failures = [];
    published = [];
    told = 0;
  });

  it("publishes the same task under the same id until it is stored, whatever the trouble", async () => {
    failures = ["unknown", "overloaded", "unavailable", "full", "conflict"];
    await openPush(bus, patience).online("gw1", task);
    assert.deepEqual(published, Array(6).fill("push.online.gw1 r1:digest 7"));
    assert.equal(told, 5);
  });

  it("gives up what is refused, and what is not stored while a repeat would still be known", async () => {
    failures = ["refused"];
    await assert.rejects(openPush(bus, patience).online("gw1", task), PublishError);
    assert.equal(published.length, 1);
    failures = Array(1000).fill("unknown");
    await assert.rejects(openPush(bus, patience).online("gw1", task), PublishError);
    assert.ok(time > 80_000 && time < 110_000);
  });

  it("tries notices again as well, but for a full stream", async () => {
    failures = ["unknown", "full"];
    assert.equal(await openPush(bus, patience).offline("bob", task), false);
    assert.equal(published.length, 2);
    assert.equal(await openPush(bus, patience).offline("bob", task), true);
  });
});
