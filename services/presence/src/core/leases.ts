import type { ConnectionStore } from "../ports.ts";
import { Recent } from "./recent.ts";

/** A gateway's lease, once seen, is believed for this long: it is asked for with every message. */
const BELIEVED = { entries: 10_000, ms: 1_000 };

/** Which gateways live. */
export class Leases {
  readonly #store: Pick<ConnectionStore, "addressesOf">;
  readonly #believed: Recent<string>;

  constructor(store: Pick<ConnectionStore, "addressesOf">, now: () => number) {
    this.#store = store;
    this.#believed = new Recent(BELIEVED, now);
  }

  /** The addresses of those that live. Only leases that exist are remembered: a gateway that has just come must be seen at once. */
  async addressesOf(gatewayIds: Iterable<string>): Promise<ReadonlyMap<string, string>> {
    const answer = new Map<string, string>();
    const unknown: string[] = [];
    for (const gatewayId of new Set(gatewayIds)) {
      const lease = this.#believed.get(gatewayId);
      if (lease !== undefined) answer.set(gatewayId, lease.value);
      else unknown.push(gatewayId);
    }
    if (unknown.length === 0) return answer;
    for (const [gatewayId, address] of await this.#store.addressesOf(unknown)) {
      this.#believed.set(gatewayId, address);
      answer.set(gatewayId, address);
    }
    return answer;
  }

  /** Some of those that live, as far as is known without asking. */
  believed(limit: number): string[] {
    return this.#believed.keys(limit);
  }

  /** A gateway goes: its lease is believed no longer. */
  forget(gatewayId: string): void {
    this.#believed.delete(gatewayId);
  }
}
