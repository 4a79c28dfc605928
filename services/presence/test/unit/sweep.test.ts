import assert from "node:assert/strict";
import { Leases } from "../../src/core/leases.ts";
import { type SweepNeeds, sweep } from "../../src/core/sweep.ts";
import { everyTurn, fakeChanges, fakeConnections, fakeLeft } from "../support/fakes.ts";

function needsOver(leases: Map<string, string>, more: Partial<SweepNeeds> = {}) {
  const { store } = fakeConnections([], leases);
  const { store: left, left: gone } = fakeLeft();
  const { changes, marked } = fakeChanges();
  const needs: SweepNeeds = {
    store,
    leases: new Leases(store, () => 50_000),
    left,
    changes,
    turns: everyTurn,
    leaseMs: 15_000,
    ...more,
  };
  return { needs, store, gone, marked };
}

describe("the sweep", () => {
  it("lets the users of a dead gateway go at its last sign of life, but for those who are elsewhere", async () => {
    const { needs, store, gone, marked } = needsOver(new Map([["g2", "a:1"]]));
    store.silent = async () => ({ nowMs: 40_000, gateways: [{ gatewayId: "g1", renewedMs: 20_000 }] });
    const slices = [["u1", "u2", "u3", "u4"]];
    store.reportedBy = async () => slices.shift() ?? [];
    store.sweep = async () =>
      new Map([
        ["u1", { removed: true, otherGatewayIds: [], unnoted: [] }],
        ["u2", { removed: true, otherGatewayIds: ["g2"], unnoted: [] }],
        ["u3", { removed: true, otherGatewayIds: ["g0"], unnoted: [] }],
        ["u4", { removed: false, otherGatewayIds: ["g1"], unnoted: [] }],
      ]);
    const swept: (readonly string[])[] = [];
    store.swept = async (_, userIds, keep) => void swept.push(userIds, keep);
    await sweep(needs);
    assert.deepEqual(
      gone,
      new Map([
        ["u1", 20_000],
        ["u3", 20_000],
      ]),
    );
    assert.deepEqual(marked, ["u1", "u2", "u3", "u4"]);
    assert.deepEqual(swept, [["u1", "u2", "u3", "u4"], ["u4"]], "who was reported again stays to be swept");
  });

  it("leaves a gateway alone that has renewed its lease meanwhile", async () => {
    const { needs, store } = needsOver(new Map([["g1", "a:1"]]));
    store.silent = async () => ({ nowMs: 40_000, gateways: [{ gatewayId: "g1", renewedMs: 20_000 }] });
    store.reportedBy = () => assert.fail("it lives");
    await sweep(needs);
  });

  it("does bounded work in a turn, and none when another instance has the turn", async () => {
    const { needs, store, marked } = needsOver(new Map());
    store.silent = async () => ({ nowMs: 0, gateways: ["g1", "g2"].map((gatewayId) => ({ gatewayId, renewedMs: 0 })) });
    store.reportedBy = async (_, limit) => Array.from({ length: limit }, () => "u");
    await sweep(needs);
    assert.ok(marked.length > 0 && marked.length <= 20_000, `${marked.length} users`);
    await sweep({
      ...needs,
      turns: { take: async () => false },
      store: { ...store, silent: () => assert.fail("not its turn") },
    });
  });
});
