import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { Logger } from "pino";

/** Where the instances of a service are. */
export interface Addresses {
  /** The addresses known now, the same array until they change; empty while a name has not been resolved yet. */
  current(): readonly string[];
  /** Stops looking. */
  close(): void;
}

/** A parsed list of addresses: fixed, or a name that is resolved again and again. */
export type AddressSource =
  | { readonly kind: "static"; readonly addresses: readonly string[] }
  | { readonly kind: "dns"; readonly name: string; readonly port: number };

/** How a name is followed; the defaults are what a service uses. */
export interface AddressOptions {
  /** Time between two look-ups in milliseconds. Default 5000. */
  readonly intervalMs?: number;
  /** Gives the IP addresses of a name. Default: the system's resolver. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

/** `host:port`, where an IPv6 host is in brackets. */
const HOST_PORT = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})$/;

/** Parses `a:1,b:2` or `dns:name:port`; throws a TypeError that says what is wrong on anything else. */
export function parseAddresses(text: string): AddressSource {
  if (text.startsWith("dns:")) {
    const { host, port } = parseHostPort(text.slice("dns:".length));
    return { kind: "dns", name: host, port };
  }
  const addresses = text.split(",").map((part) => {
    const { host, port } = parseHostPort(part.trim());
    return `${host}:${port}`;
  });
  return { kind: "static", addresses: [...new Set(addresses)] };
}

function parseHostPort(text: string): { host: string; port: number } {
  const [, host, digits] = HOST_PORT.exec(text) ?? [];
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65535) {
    throw new TypeError(`"${text}" is not an address: expected host:port`);
  }
  return { host, port };
}

/** Follows a source. Resolves after the first look-up, even a failed one: then it is tried again like any other. */
export async function openAddresses(
  source: AddressSource,
  log: Logger,
  options: AddressOptions = {},
): Promise<Addresses> {
  if (source.kind === "static") return { current: () => source.addresses, close: () => undefined };
  const { intervalMs = 5000, resolve = systemResolve } = options;
  let addresses: readonly string[] = [];
  const look = async () => {
    try {
      const found = format(await resolve(source.name), source.port);
      // An empty answer is what a headless service says while no instance is ready: the old ones are then as good as any.
      if (found.length > 0 && found.join() !== addresses.join()) addresses = found;
    } catch (cause) {
      log.warn({ err: cause, name: source.name, kept: addresses.length }, "a name could not be resolved");
    }
  };
  await look();
  let timer = setTimeout(again, intervalMs).unref();
  let closed = false;
  async function again() {
    await look();
    if (!closed) timer = setTimeout(again, intervalMs).unref();
  }
  return {
    current: () => addresses,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function systemResolve(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** Sorted, so that the same instances in another order are no change. */
function format(ips: readonly string[], port: number): string[] {
  return [...new Set(ips)].sort().map((ip) => (isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`));
}
