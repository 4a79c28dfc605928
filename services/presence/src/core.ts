import { createConnections } from "./core/connections.ts";
import { Epoch } from "./core/epoch.ts";
import { createExpiries } from "./core/expiries.ts";
import { FanOut } from "./core/fan-out.ts";
import { createFind } from "./core/find.ts";
import { writeLastSeen } from "./core/last-seen.ts";
import { Leases } from "./core/leases.ts";
import { setStatus } from "./core/set-status.ts";
import { Statuses } from "./core/statuses.ts";
import { sweep } from "./core/sweep.ts";
import { createView } from "./core/view.ts";
import { Watches } from "./core/watches.ts";
import type { ChangeQueue, Outlet, WatchStore } from "./ports/watches.ts";
import type {
  Choice,
  ConnectionStore,
  DevicePolicy,
  LeftStore,
  StampedStore,
  StatusStore,
  Turns,
  Users,
} from "./ports.ts";

/** What the rules work with. */
export interface PresencePorts {
  readonly store: ConnectionStore & StampedStore;
  readonly statusStore: StatusStore;
  readonly left: LeftStore;
  readonly turns: Turns;
  readonly users: Users;
  readonly watches: WatchStore;
  readonly queue: ChangeQueue;
  readonly outlet: Outlet;
  readonly policy: DevicePolicy;
  readonly leaseMs: number;
  /** Told of what a gateway has kept and nobody understands. */
  readonly onUnreadable: (error: unknown) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Statuses can't be read: users look offline meanwhile. */
  readonly onStatusesUnreadable: (error: unknown) => void;
}

/** The rules of presence. */
export type PresenceCore = ReturnType<typeof createPresenceCore>;

/** Binds the rules to what they work with. */
export function createPresenceCore(ports: PresencePorts) {
  const leases = new Leases(ports.store, ports.now);
  const statuses = new Statuses(ports.statusStore, ports.now, ports.onStatusesUnreadable);
  const view = createView({ ...ports, leases, statuses });
  // Nothing that was read before: a change that a cache hides would never be shown.
  const freshLeases = {
    addressesOf: (gatewayIds: Iterable<string>) => ports.store.addressesOf([...new Set(gatewayIds)]),
  };
  const fresh = createView({ ...ports, leases: freshLeases, statuses });
  const changes = new Watches({ ...ports, view: fresh, connections: ports.store });
  const needs = { ...ports, changes, leases, statuses };
  return {
    watches: changes,
    fanOut: new FanOut({ ...ports, view: fresh, leases }),
    connections: createConnections(needs),
    find: createFind(ports.store, leases, new Epoch(ports.leaseMs / 2, ports.now)),
    view,
    setStatus: (userId: string, choice: Choice) => setStatus({ ...needs, isLive: view.isLive }, userId, choice),
    /** Turns that come every second. */
    sweep: () => sweep(needs),
    writeLastSeen: () => writeLastSeen(needs),
    noteExpiries: createExpiries(needs),
  };
}
