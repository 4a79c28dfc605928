import type { DisplacedConnection, LiveConnection, PresenceStore } from "./ports.ts";

/** A living gateway. */
export interface LiveGateway {
  readonly gatewayId: string;
  readonly address: string;
}

/** A connection that has to be closed, and where. */
export interface Replacement extends DisplacedConnection {
  readonly address: string;
}

/** The rules of presence. */
export interface PresenceCore {
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

/** A gateway's lease, once seen, is believed for this long: it is asked for with every message. */
const LEASE_BELIEVED_MS = 1_000;
/** More gateways than this are never remembered at once. */
const LEASES_REMEMBERED = 10_000;
/** How much one turn of the sweep does at most. */
const SWEEP_GATEWAYS = 10;
const SWEEP_USERS = 500;
const SWEEP_STEPS = 20;

/** Makes the rules of presence over a store. */
export function createPresenceCore(options: {
  readonly store: PresenceStore;
  readonly leaseMs: number;
  readonly now: () => number;
}): PresenceCore {
  const { store, leaseMs, now } = options;
  const addressesOf = createLeaseCache(store, now);
  return {
    async connected(connection) {
      const displaced = await store.add(connection, now());
      if (displaced.length === 0) return [];
      const addresses = await addressesOf(displaced.map(({ gatewayId }) => gatewayId));
      return displaced.flatMap((each) => {
        const address = addresses.get(each.gatewayId);
        return address === undefined ? [] : [{ ...each, address }]; // a dead gateway's sockets are closed already
      });
    },
    disconnected: (userId, connectionId) => store.remove(userId, connectionId),
    async lease(gatewayId, address) {
      return { reportAll: !(await store.renewLease(gatewayId, address, leaseMs, now())) };
    },
    release: (gatewayId) => store.endLease(gatewayId),
    async locate(userIds) {
      const entries = await store.connectionsOf([...new Set(userIds)]);
      const addresses = await addressesOf([...new Set(entries.map(({ gatewayId }) => gatewayId))]);
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

/** Only leases that exist are remembered: a gateway that has just come must be seen at once. */
function createLeaseCache(store: PresenceStore, now: () => number) {
  const believed = new Map<string, { readonly address: string; readonly untilMs: number }>();
  return async (gatewayIds: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const answer = new Map<string, string>();
    const unknown: string[] = [];
    for (const gatewayId of gatewayIds) {
      const lease = believed.get(gatewayId);
      if (lease !== undefined && lease.untilMs > now()) answer.set(gatewayId, lease.address);
      else unknown.push(gatewayId);
    }
    if (unknown.length === 0) return answer;
    if (believed.size > LEASES_REMEMBERED) believed.clear();
    const untilMs = now() + LEASE_BELIEVED_MS;
    for (const gatewayId of unknown) believed.delete(gatewayId);
    for (const [gatewayId, address] of await store.addressesOf(unknown)) {
      believed.set(gatewayId, { address, untilMs });
      answer.set(gatewayId, address);
    }
    return answer;
  };
}
