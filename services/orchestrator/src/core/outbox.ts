import type { Push } from "../ports.ts";
import type { Delivery } from "./plan.ts";
import { onlineTasks } from "./tasks.ts";

/** What goes to a gateway from several lanes at once. */
interface Parcel {
  readonly deliveries: Delivery[];
  readonly sent: Promise<void>;
}

/** Hands records over to the pushers: what several lanes have for a gateway in the same turn travels in the same task. */
export class Outbox {
  readonly #push: Pick<Push, "online">;
  /** By gateway: what is not under way yet. */
  readonly #open = new Map<string, Parcel>();

  constructor(push: Pick<Push, "online">) {
    this.#push = push;
  }

  /** Resolves when it is stored. Rejects when it is not, or some of what travels with it. */
  send(gatewayId: string, address: string, deliveries: readonly Delivery[]): Promise<void> {
    const known = this.#open.get(gatewayId);
    if (known === undefined) return this.#begin(gatewayId, address, [...deliveries]);
    for (const delivery of deliveries) known.deliveries.push(delivery);
    return known.sent;
  }

  #begin(gatewayId: string, address: string, deliveries: Delivery[]): Promise<void> {
    const sent = Promise.resolve().then(async () => {
      this.#open.delete(gatewayId);
      // One after another: a connection's records stay in order.
      for (const task of onlineTasks(gatewayId, address, deliveries)) await this.#push.online(gatewayId, task);
    });
    this.#open.set(gatewayId, { deliveries, sent });
    return sent;
  }
}
