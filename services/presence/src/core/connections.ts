import { shared } from "@oceanchat/runtime/fail";
import type {
  Changes,
  ConnectionStore,
  DevicePolicy,
  DisplacedConnection,
  LeftStore,
  LiveConnection,
} from "../ports.ts";
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
  /**
   * A gateway lives; answers whether it has to report all its connections again, and which of them were replaced: whoever was to close
   * them may have died, or not have reached it.
   */
  lease(
    gatewayId: string,
    address: string,
  ): Promise<{ readonly reportAll: boolean; readonly replaced: readonly Replacement[] }>;
  /** A gateway goes; whoever was connected to it counts as connected for another moment. */
  release(gatewayId: string): Promise<void>;
  /** The live connections of users, and the gateways that hold them. */
  locate(userIds: readonly string[]): Promise<{
    readonly connections: readonly LiveConnection[];
    readonly gateways: readonly LiveGateway[];
  }>;
}

/** What the rules of connections need. */
export interface ConnectionNeeds {
  readonly store: ConnectionStore;
  readonly leases: Leases;
  readonly left: LeftStore;
  readonly changes: Changes;
  readonly policy: DevicePolicy;
  readonly leaseMs: number;
  readonly now: () => number;
}

/** How long the users of a gateway that goes have to come back before they look gone, in milliseconds. The contract says so. */
const RETURN_MS = 5_000;
/** How many gateways that live are named at first, to be asked less often. */
const NAMED = 32;
/** How often a connection is tried to be added while others of the user come on gateways that weren't known. */
const TRIES = 5;

/** Makes the rules of connections over a store. */
export function createConnections(needs: ConnectionNeeds): Connections {
  const { store, leases, left, changes, leaseMs, now } = needs;
  return {
    async connected(connection) {
      const displaced = await add(needs, connection);
      if (displaced.length > 0) await store.noteDisplaced(connection.userId, displaced, leaseMs);
      await changes.mark([connection.userId]);
      if (displaced.length === 0) return [];
      const addresses = await leases.addressesOf(displaced.map(({ gatewayId }) => gatewayId));
      return displaced.flatMap((each) => {
        const address = addresses.get(each.gatewayId);
        return address === undefined ? [] : [{ ...each, address }]; // a dead gateway's sockets are closed already
      });
    },
    async disconnected(userId, connectionId) {
      const { removed, otherGatewayIds, unnoted } = await store.remove(userId, connectionId);
      if (unnoted.length > 0) await store.noteDisplaced(userId, unnoted, leaseMs);
      const alive = await leases.addressesOf(otherGatewayIds);
      if (removed && alive.size === 0) await left.note([userId], now());
      await changes.mark([userId]);
    },
    async lease(gatewayId, address) {
      const [held, displaced] = await Promise.all([
        store.renewLease(gatewayId, address, leaseMs, now()),
        store.takeDisplaced(gatewayId),
      ]);
      // Of all that are reported again the policy decides anew.
      const replaced = held ? displaced.map((connectionId) => ({ connectionId, gatewayId, address })) : [];
      return { reportAll: !held, replaced };
    },
    async release(gatewayId) {
      await store.endLease(gatewayId, Math.min(RETURN_MS, leaseMs), now());
    },
    async locate(userIds) {
      const entries = await store.connectionsOf([...new Set(userIds)]);
      const addresses = await leases.addressesOf(entries.map(({ gatewayId }) => gatewayId));
      return {
        connections: entries.filter(({ gatewayId }) => addresses.has(gatewayId)),
        gateways: [...addresses].map(([gatewayId, address]) => ({ gatewayId, address })),
      };
    },
  };
}

/** The script that adds knows no leases, so it is told which gateways live, and asks for those it wasn't told of. */
async function add(
  { store, leases, policy }: ConnectionNeeds,
  connection: LiveConnection,
): Promise<readonly DisplacedConnection[]> {
  const alive = new Set(leases.believed(NAMED));
  const dead = new Set<string>();
  for (let tries = 0; tries < TRIES; tries++) {
    const answer = await store.add(connection, { alive: [...alive], dead: [...dead] }, policy);
    if (!("ask" in answer)) return answer.displaced;
    const living = await leases.addressesOf(answer.ask);
    for (const gatewayId of answer.ask) (living.has(gatewayId) ? alive : dead).add(gatewayId);
  }
  throw shared.unavailable("too many connections of one user at once");
}
