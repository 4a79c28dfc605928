import type { Changes, ConnectionStore, DisplacedConnection, LiveConnection } from "../ports.ts";
import type { Leases } from "./leases.ts";

/** A living gateway. */
export interface LiveGateway {
  readonly gatewayId: string;
  readonly address: string;
}

/** A connection that has to be closed, and where. */
export interface Replacement extends DisplacedConnection {
  readonly address: string;
}

/** Who is connected where. */
export interface Connections {
  /** A socket is connected; answers with those that it replaces. */
  connected(connection: LiveConnection): Promise<readonly Replacement[]>;
  /** A socket is gone. */
  disconnected(userId: string, connectionId: string): Promise<void>;
  /** A gateway lives; answers whether it has to report all its connections again. */
  lease(gatewayId: string, address: string): Promise<{ readonly reportAll: boolean }>;
  /** A gateway goes. */
  release(gatewayId: string): Promise<void>;
  /** The live connections of users, and the gateways that hold them. */
  locate(userIds: readonly string[]): Promise<{
    readonly connections: readonly LiveConnection[];
    readonly gateways: readonly LiveGateway[];
  }>;
  /** One bounded turn of removing what dead gateways left behind. */
  sweep(): Promise<void>;
}

/** How much one turn of the sweep does at most. */
const SWEEP_GATEWAYS = 10;
const SWEEP_USERS = 500;
const SWEEP_STEPS = 20;

/** Makes the rules of connections over a store. */
export function createConnections(options: {
  readonly store: ConnectionStore;
  readonly leases: Leases;
  readonly changes: Changes;
  readonly leaseMs: number;
  readonly now: () => number;
}): Connections {
  const { store, leases, changes, leaseMs, now } = options;
  return {
    async connected(connection) {
      const displaced = await store.add(connection, now());
      await changes.mark([connection.userId]);
      if (displaced.length === 0) return [];
      const addresses = await leases.addressesOf(displaced.map(({ gatewayId }) => gatewayId));
      return displaced.flatMap((each) => {
        const address = addresses.get(each.gatewayId);
        return address === undefined ? [] : [{ ...each, address }]; // a dead gateway's sockets are closed already
      });
    },
    async disconnected(userId, connectionId) {
      await store.remove(userId, connectionId);
      await changes.mark([userId]);
    },
    async lease(gatewayId, address) {
      return { reportAll: !(await store.renewLease(gatewayId, address, leaseMs, now())) };
    },
    async release(gatewayId) {
      await store.endLease(gatewayId);
      leases.forget(gatewayId);
    },
    async locate(userIds) {
      const entries = await store.connectionsOf([...new Set(userIds)]);
      const addresses = await leases.addressesOf(entries.map(({ gatewayId }) => gatewayId));
      return {
        connections: entries.filter(({ gatewayId }) => addresses.has(gatewayId)),
        gateways: [...addresses].map(([gatewayId, address]) => ({ gatewayId, address })),
      };
    },
    async sweep() {
      // Two leases, and only entries as old: a gateway that was cut off for a moment reports all again and keeps what is new.
      const before = now() - 2 * leaseMs;
      const silent = await store.gatewaysSilentSince(before, SWEEP_GATEWAYS);
      let steps = 0;
      for (const gatewayId of silent) {
        while (steps++ < SWEEP_STEPS && (await store.sweep(gatewayId, before, SWEEP_USERS)));
      }
    },
  };
}
