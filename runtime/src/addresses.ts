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

/** Parses `a:1,b:2` or `dns:name:port`; throws a TypeError on anything else. Pure: for config.ts. */
export declare function parseAddresses(text: string): AddressSource;

/** Follows a source; resolves after the first look-up, which may have failed (then it is tried again every 5 s). */
export declare function openAddresses(source: AddressSource, log: Logger): Promise<Addresses>;

/** The address that a key belongs to: the same for every caller, and it moves only when its own address goes away. */
export declare function rendezvous(key: string, addresses: readonly string[]): string | undefined;
