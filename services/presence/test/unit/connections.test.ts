import assert from "node:assert/strict";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { createConnections } from "../../src/core/connections.ts";
import { Leases } from "../../src/core/leases.ts";
import type { ConnectionStore, LiveConnection } from "../../src/ports.ts";

const connection = (connectionId: string, gatewayId: string, userId = "u1"): LiveConnection => ({
  connectionId,
  gatewayId,
  userId,
  sessionId: "s",
  deviceId: connectionId,
  platform: "PLATFORM_WEB",
  codec: Codec.BINARY,
  connectedAtMs: 1,
});

/** A store that holds what the test put there and counts the look-ups of leases. */
function fakeStore(entries: LiveConnection[], leases: Map<string, string>) {
  const asked: string[][] = [];
  const store: ConnectionStore = {
    add: async () => [{ connectionId: "old", gatewayId: "g1" }],
    remove: async () => {},
    renewLease: async (gatewayId, address) => {
      const before = leases.has(gatewayId);
      leases.set(gatewayId, address);
      return before;
    },
    endLease: async (gatewayId) => void leases.delete(gatewayId),
    addressesOf: async (ids) => {
      asked.push([...ids]);
      return new Map(ids.flatMap((id) => (leases.has(id) ? [[id, leases.get(id) ?? ""] as const] : [])));
    },
    connectionsOf: async (userIds) => entries.filter(({ userId }) => userIds.includes(userId)),
    gatewaysSilentSince: async () => [],
    sweep: async () => false,
  };
  return { store, asked };
}

const connectionsOver = (store: ConnectionStore, now: () => number) =>
  createConnections({ store, leases: new Leases(store, now), changes: { mark: async () => {} }, leaseMs: 15_000, now });

describe("connections", () => {
  it("leaves out connections of gateways without a lease", async () => {
    const { store } = fakeStore([connection("c1", "g1"), connection("c2", "dead")], new Map([["g1", "a:1"]]));
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
    const { store, asked } = fakeStore([connection("c1", "g1")], leases);
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
    const { store } = fakeStore([connection("c1", "g1")], leases);
    const core = connectionsOver(store, () => 0);
    assert.equal((await core.locate(["u1"])).connections.length, 0);
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: true });
    assert.deepEqual(await core.lease("g1", "a:1"), { reportAll: false });
    assert.equal((await core.locate(["u1"])).connections.length, 1);
  });

  it("tells where the replaced connection is", async () => {
    const { store } = fakeStore([], new Map([["g1", "a:1"]]));
    const core = connectionsOver(store, () => 0);
    assert.deepEqual(await core.connected(connection("new", "g2")), [
      { connectionId: "old", gatewayId: "g1", address: "a:1" },
    ]);
  });

  it("sweeps in bounded turns", async () => {
    const { store } = fakeStore([], new Map());
    let steps = 0;
    store.gatewaysSilentSince = async () => ["g1", "g2"];
    store.sweep = async () => {
      steps += 1;
      return true;
    };
    await connectionsOver(store, () => 0).sweep();
    assert.ok(steps > 0 && steps <= 20, `${steps} steps`);
  });
});
