import { networkInterfaces } from "node:os";
import type { DoorMethods } from "./door-methods.ts";
import { Neighbour } from "./neighbour.ts";
import { Turns } from "./turns.ts";

/**
 * The mesh doors of one process, for services that share it: a caller whose address is entered here calls the door's handlers
 * instead of a socket. Made once per process and given to every host in it.
 *
 * Requests and answers are then handed over and not copied. So what was given to a call, and what a handler has returned, belongs to
 * both sides from then on and is changed by neither; bytes are as often views of something larger as they are over sockets, so
 * whoever keeps them for long copies them.
 */
export class Neighbours {
  readonly #turns = new Turns();
  readonly #entered = new Map<string, Neighbour>();
  readonly #followers = new Map<string, Set<() => void>>();

  /** Enters a door under its addresses. It doesn't serve yet. */
  enter(addresses: readonly string[], methods: DoorMethods): Neighbour {
    const neighbour = new Neighbour(methods, this.#turns, () => this.#tell(addresses));
    for (const address of addresses) this.#entered.set(address, neighbour);
    this.#tell(addresses);
    return neighbour;
  }

  /** Takes a door out. */
  leave(neighbour: Neighbour): void {
    const addresses = [...this.#entered.keys()].filter((address) => this.at(address) === neighbour);
    for (const address of addresses) this.#entered.delete(address);
    this.#tell(addresses);
  }

  /** The door at an address, whether it serves or not. */
  at(address: string): Neighbour | undefined {
    return this.#entered.get(address);
  }

  /** Calls back when a door is entered under this address or taken out, and when it serves or not; gives what ends that. */
  follow(address: string, changed: () => void): () => void {
    const followers = this.#followers.get(address) ?? new Set();
    this.#followers.set(address, followers.add(changed));
    return () => {
      followers.delete(changed);
      if (followers.size === 0 && this.#followers.get(address) === followers) this.#followers.delete(address);
    };
  }

  #tell(addresses: readonly string[]): void {
    for (const address of addresses) for (const changed of [...(this.#followers.get(address) ?? [])]) changed();
  }
}

const ANY = new Set(["0.0.0.0", "::"]);
const LOOPBACK = new Set(["127.0.0.1", "::1"]);

/** The addresses by which services of this machine may call what listens there. */
export function addressesOfDoor(host: string, port: number): string[] {
  const own = Object.values(networkInterfaces()).flatMap((interfaces = []) => interfaces.map(({ address }) => address));
  const hosts = ANY.has(host) ? own : [host];
  if (hosts.some((one) => LOOPBACK.has(one))) hosts.push("localhost");
  return [...new Set(hosts)].map((one) => (one.includes(":") ? `[${one}]:${port}` : `${one}:${port}`));
}
