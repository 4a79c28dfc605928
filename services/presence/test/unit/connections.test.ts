import assert from "node:assert/strict";
import { type ConnectionNeeds, createConnections } from "../../src/core/connections.ts";
import { Leases } from "../../src/core/leases.ts";
import type { ConnectionStore, KnownGateways } from "../../src/ports.ts";
import { connection, fakeChanges, fakeConnections, fakeLeft, loosePolicy } from "../support/fakes.ts";

const connectionsOver = (store: ConnectionStore, now: () => number, more: Partial<ConnectionNeeds> = {}) =>
  createConnections({
    store,
    leases: new Leases(store, now),
    left: fakeLeft().store,
    changes: fakeChanges().changes,
    policy: loosePolicy,
    leaseMs: 15_000,
    now,
    ...more,
  });

describe("connections", () => {
  it("leaves out connections of gateways without a lease", async () => {
    const { store } = fakeConnections([connection("c1", "g1"), connection("c2", "dead")], new Map([["g1", "a:1"]]));
    const core = connectionsOver(store, () => 0);
    const { connections, gateways } = await core.locate(["u1", "u1"]);
    assert.deepEqual(
      connections.map((each) => each.connectionId),
      ["c1"],
    );
    assert.deepEqual(gateways, [{ gatewayId: "g1", address: "a:1" }]);
  });

  it("believes a lease for a second and no longer", async () => {
    let now = 0;
    const leases = new Map([["g1", "a:1"]]);
    const { store, asked } = fakeConnections([connection("c1", "g1")], leases);
    const core = connectionsOver(store, () => now);
    await core.locate(["u1"]);
    leases.delete("g1");
    assert.equal((await core.locate(["u1"])).connections.length, 1);
    now = 1_001;
    assert.equal((await core.locate(["u1"])).connections.length, 0);
    assert.equal(asked.length, 2);
  });

  it("sees a gateway at once that had no lease a moment ago", async () => {
    const leases = new Map<string, string>();
    const { store } = fakeConnections([connection("c1", "g1")], leases);
    const core = connectionsOver(store, () => 0);
    assert.equal((await core.locate(["u1"])).connections.length, 0);
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: true, replaced: [] });
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: false, replaced: [] });
    assert.equal((await core.locate(["u1"])).connections.length, 1);
  });

  it("tells where the replaced connection is", async () => {
    const { store } = fakeConnections([], new Map([["g1", "a:1"]]));
    const core = connectionsOver(store, () => 0);
    assert.deepEqual(await core.connected(connection("new", "g2")), [
      { connectionId: "old", gatewayId: "g1", address: "a:1" },
    ]);
  });

  it("tells a gateway by its lease what was replaced, unless it reports all again", async () => {
    const leases = new Map([["g1", "a:1"]]);
    const core = connectionsOver(fakeConnections([], leases).store, () => 0);
    await core.connected(connection("new", "g2"));
    const replaced = [{ connectionId: "old", gatewayId: "g1", address: "a:1" }];
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: false, replaced });
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: false, replaced: [] });
    await core.connected(connection("newer", "g2"));
    leases.clear();
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: true, replaced: [] });
  });

  it("tells the store which gateways live when it asks, and no more than it must", async () => {
    const { store } = fakeConnections([], new Map([["g1", "a:1"]]));
    const told: KnownGateways[] = [];
    store.add = async (_, known) => {
      told.push(known);
      return told.length === 1 ? { ask: ["g1", "dead"] } : { displaced: [] };
    };
    await connectionsOver(store, () => 0).connected(connection("new", "g2"));
    assert.deepEqual(told, [
      { alive: [], dead: [] },
      { alive: ["g1"], dead: ["dead"] },
    ]);
  });

  it("notes when the last live connection went, and marks every change", async () => {
    const { store } = fakeConnections([], new Map([["g1", "a:1"]]));
    const { store: left, left: gone } = fakeLeft();
    const { changes, marked } = fakeChanges();
    let others: string[] = ["g1"];
    store.remove = async () => ({ removed: true, otherGatewayIds: others, unnoted: [] });
    const connections = connectionsOver(store, () => 7_000, { left, changes });
    await connections.connected(connection("c", "g1"));
    await connections.disconnected("u1", "c");
    assert.deepEqual([...gone], [], "he is still here by another device");
    others = ["dead"];
    await connections.disconnected("u1", "c2");
    assert.deepEqual([...gone], [["u1", 7_000]]);
    assert.deepEqual(marked, ["u1", "u1", "u1"]);
    store.remove = async () => ({ removed: false, otherGatewayIds: [], unnoted: [] });
    await connectionsOver(store, () => 9_000, { left, changes }).disconnected("u1", "c2");
    assert.deepEqual([...gone], [["u1", 7_000]], "a repeated report moves nothing");
  });
});
