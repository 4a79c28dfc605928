import { createConnections } from "./core/connections.ts";
import { Leases } from "./core/leases.ts";
import { Statuses } from "./core/statuses.ts";
import { createView } from "./core/view.ts";
import type { Changes, ConnectionStore, StatusStore, Users } from "./ports.ts";

/** What the rules work with. */
export interface PresencePorts {
  readonly store: ConnectionStore;
  readonly statusStore: StatusStore;
  readonly users: Users;
  readonly changes: Changes;
  readonly leaseMs: number;
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
  return {
    connections: createConnections({ ...ports, leases }),
    view: createView({ store, leases, statuses, users, now }),
  };
}
