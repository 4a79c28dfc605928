import type { Delivery } from "./bus-delivery.ts";
import type { Link } from "./bus-link.ts";

/** How long an acknowledgement waits for others, in milliseconds: far less than any `ack_wait`. */
const GATHER_MS = 50;
const MAX_GATHERED = 256;

/**
 * Acknowledges what was settled, several messages at a time: each by itself would wake the server, which nobody waits for. A process that is
 * killed has that much more to do again.
 */
export class Acks {
  readonly #link: Link;
  readonly #limit: number;
  #gathered: Delivery[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Holds no more than a part of what a process may hold: the server counts that as held. */
  constructor(link: Link, maxInFlight: number) {
    this.#link = link;
    this.#limit = Math.min(MAX_GATHERED, Math.ceil(maxInFlight / 4));
  }

  add(message: Delivery): void {
    this.#gathered.push(message);
    if (this.#gathered.length >= this.#limit) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Writes what has gathered, as far as there is a connection: what isn't acknowledged is delivered again, and then recognised. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const message of this.#gathered) message.ack(this.#link);
    this.#gathered = [];
  }
}
