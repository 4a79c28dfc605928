import type { Provider } from "@parse/node-apn";
import { TIMEOUT_MS } from "./adapter.ts";

/** The library's client with its one connection, and the means to cut it. */
export interface Connection {
  readonly provider: Provider;
  readonly cut: AbortController;
}

const CLOSE_MS = 1_000;

/**
 * The connection in use, and those that were left. A connection that is silent may be dead without anyone knowing;
 * the library would go on using it for as long as the system keeps its socket.
 */
export class Connections {
  readonly #open: (signal: AbortSignal) => Provider;
  readonly #patienceMs: number;
  readonly #left = new Map<Connection, NodeJS.Timeout>();
  #current: Connection;

  /** @param options `timeoutMs`: how long the sends on a connection that was left may take to end. */
  constructor(open: (signal: AbortSignal) => Provider, options: { readonly timeoutMs?: number }) {
    this.#open = open;
    this.#patienceMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#current = this.#connect();
  }

  get current(): Connection {
    return this.#current;
  }

  /** Leaves a connection for a new one, unless that has happened already; what is under way on it may still end. */
  replace(silent: Connection): void {
    if (silent !== this.#current) return;
    this.#current = this.#connect();
    silent.provider.shutdown();
    const timer = setTimeout(() => {
      this.#left.delete(silent);
      silent.cut.abort();
    }, this.#patienceMs);
    this.#left.set(silent, timer);
  }

  async close(): Promise<void> {
    await shutDown(this.#current.provider);
    this.#current.cut.abort();
    for (const [connection, timer] of this.#left) {
      clearTimeout(timer);
      connection.cut.abort();
    }
    this.#left.clear();
  }

  #connect(): Connection {
    const cut = new AbortController();
    return { provider: this.#open(cut.signal), cut };
  }
}

/** The library calls nobody back when its connection is broken already. */
function shutDown(provider: Provider): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, CLOSE_MS);
    provider.shutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
