import type { LiveConnection, StampedStore } from "../ports.ts";
import type { LiveGateway } from "./connections.ts";
import type { Epoch } from "./epoch.ts";
import type { Leases } from "./leases.ts";
import { slotOf } from "./slots.ts";

/** What is asked: where users are, and what stamps slots have now. */
export interface Question {
  readonly userIds: readonly string[];
  readonly slots: readonly number[];
  readonly gatewayIds: readonly string[];
}

/** The answer, in the order of the question. No stamp: an empty one. */
export interface Finding {
  readonly connections: readonly LiveConnection[];
  readonly userSlots: number[];
  readonly userStamps: string[];
  readonly stamps: string[];
  readonly gateways: LiveGateway[];
  /** Whether connections may be missing, since gateways are still to report again. */
  readonly rebuilding: boolean;
}

/** Answers whoever keeps what he was told. */
export type Find = (question: Question) => Promise<Finding>;

export function createFind(store: StampedStore, leases: Leases, epoch: Epoch): Find {
  return async ({ userIds, slots, gatewayIds }) => {
    const userSlots = userIds.map(slotOf);
    const { stamps, connections, epochMs } = await store.stampedConnectionsOf(
      [...new Set([...userSlots, ...slots])],
      userIds,
    );
    const holding = connections.map(({ gatewayId }) => gatewayId);
    const addresses = await leases.addressesOf([...gatewayIds, ...holding]);
    const stampOf = (slot: number) => stamps.get(slot) ?? "";
    return {
      connections,
      userSlots,
      userStamps: userSlots.map(stampOf),
      stamps: slots.map(stampOf),
      gateways: [...addresses].map(([gatewayId, address]) => ({ gatewayId, address })),
      rebuilding: epoch.isRebuilding(epochMs),
    };
  };
}
