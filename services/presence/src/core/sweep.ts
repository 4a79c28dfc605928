import type { Changes, ConnectionStore, LeftStore, SilentGateway, Turns } from "../ports.ts";
import type { Leases } from "./leases.ts";

/** How much one turn does at most. */
const GATEWAYS = 10;
const SLICE = 500;
const SLICES = 40;
/** One instance sweeps at a time. */
const TURN_MS = 900;

/** What the sweep needs. */
export interface SweepNeeds {
  readonly store: ConnectionStore;
  readonly leases: Leases;
  readonly left: LeftStore;
  readonly changes: Changes;
  readonly turns: Turns;
  readonly leaseMs: number;
}

/**
 * One bounded turn of removing what gateways left behind whose lease has ended: their users have gone, unless they are elsewhere.
 * A gateway that comes back, because it was only cut off, reports all again; what it adds then is newer and stays.
 */
export async function sweep(needs: SweepNeeds): Promise<void> {
  const { store, turns, leaseMs } = needs;
  if (!(await turns.take("sweep", TURN_MS))) return;
  const { nowMs, gateways } = await store.silent(leaseMs, GATEWAYS);
  // Not from memory: whoever has renewed its lease meanwhile lives.
  const living = await store.addressesOf(gateways.map(({ gatewayId }) => gatewayId));
  let slices = 0;
  for (const gateway of gateways) {
    if (living.has(gateway.gatewayId)) continue;
    while (slices < SLICES) {
      slices++;
      if (!(await sweepSlice(needs, gateway, nowMs))) break;
    }
  }
}

/** False when nothing of the gateway is left. */
async function sweepSlice(needs: SweepNeeds, gateway: SilentGateway, silentMs: number): Promise<boolean> {
  const { store, leases, left, changes, leaseMs } = needs;
  const { gatewayId, renewedMs } = gateway;
  const userIds = await store.reportedBy(gatewayId, SLICE);
  if (userIds.length === 0) {
    await store.forget(gatewayId, silentMs);
    return false;
  }
  leases.forget(gatewayId);
  const removals = await store.sweep(gatewayId, userIds, silentMs);
  for (const [userId, { unnoted }] of removals) {
    if (unnoted.length > 0) await store.noteDisplaced(userId, unnoted, leaseMs);
  }
  const alive = await leases.addressesOf([...removals.values()].flatMap(({ otherGatewayIds }) => otherGatewayIds));
  const gone = [...removals].filter(
    ([, { removed, otherGatewayIds }]) => removed && !otherGatewayIds.some((other) => alive.has(other)),
  );
  // Not later than the last sign of life: nobody knows how long they were there after it.
  await left.note(
    gone.map(([userId]) => userId),
    renewedMs,
  );
  await changes.mark(userIds);
  const kept = [...removals].filter(([, { otherGatewayIds }]) => otherGatewayIds.includes(gatewayId));
  await store.swept(
    gatewayId,
    userIds,
    kept.map(([userId]) => userId),
  );
  return true;
}
