import { createConnections } from "./core/connections.ts";
import { FanOut } from "./core/fan-out.ts";
import { createFind } from "./core/find.ts";
import { Leases } from "./core/leases.ts";
import { Statuses } from "./core/statuses.ts";
import { createView } from "./core/view.ts";
import { Watches } from "./core/watches.ts";
import type { ChangeQueue, Outlet, WatchStore } from "./ports/watches.ts";
import type { ConnectionStore, StampedStore, StatusStore, Users } from "./ports.ts";

/** What the rules work with. */
export interface PresencePorts {
  readonly store: ConnectionStore & StampedStore;
  readonly statusStore: StatusStore;
  readonly users: Users;
  readonly watches: WatchStore;
  readonly queue: ChangeQueue;
  readonly outlet: Outlet;
  readonly leaseMs: number;
  /** Told of what a gateway has kept and nobody understands. */
  readonly onUnreadable: (error: unknown) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The rules of presence. */
export type PresenceCore = ReturnType<typeof createPresenceCore>;

/** Binds the rules to what they work with. */
export function createPresenceCore(ports: PresencePorts) {
  const { store, statusStore, users, now } = ports;
  const leases = new Leases(store, now);
  const statuses = new Statuses(statusStore, now);
  // Nothing that was read before: a change that a cache hides would never be shown.
  const view = createView({
    store,
    leases: { addressesOf: (gatewayIds) => store.addressesOf([...new Set(gatewayIds)]) },
    statuses: { of: (userIds) => new Statuses(statusStore, now).of(userIds) },
    users,
    now,
  });
  const watches = new Watches({ ...ports, view, connections: store });
  return {
    watches,
    fanOut: new FanOut({ ...ports, view, leases }),
    connections: createConnections({ ...ports, leases, changes: watches }),
    find: createFind(store, leases),
    view: createView({ store, leases, statuses, users, now }),
  };
}
