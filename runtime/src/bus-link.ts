import { setTimeout as sleep } from "node:timers/promises";
import { type ConnectionOptions, connect, type NatsConnection, type Status } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { shared } from "./fail.ts";

/** How the process reaches NATS. */
export interface LinkOptions {
  /** `nats://[user:password@]host:port`, or `tls://…`; several servers of one cluster separated by commas. */
  readonly url: string;
  /** What the server's monitoring calls this client: the service's name and instance. */
  readonly name: string;
  readonly log: Logger;
  /** The connection is gone for good: the process should exit and be started again. Not called after `close()`. */
  onClosed(error: Error): void;
  /** How long to try at start, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** After how long without a connection to give up, in milliseconds. Default 300,000. */
  readonly maxDisconnectedMs?: number;
  /** How often the connection is tried, in milliseconds; two unanswered tries end it. Default 5,000. */
  readonly pingIntervalMs?: number;
}

/** The connection and its life. */
export class Link {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #maxDisconnectedMs: number;
  readonly #onClosed: (error: Error) => void;
  readonly #outage: Outage;
  #connected = true;
  #closing = false;
  #givenUp: Error | undefined;
  #giveUpTimer: NodeJS.Timeout | undefined;

  constructor(nc: NatsConnection, options: LinkOptions, outage: Outage) {
    this.nc = nc;
    this.#outage = outage;
    this.log = options.log;
    this.#maxDisconnectedMs = options.maxDisconnectedMs ?? 300_000;
    this.#onClosed = options.onClosed;
    void this.#follow();
  }

  connected(): boolean {
    return this.#connected && !this.nc.isClosed();
  }

  /**
   * Calls back with false when the connection is lost and true when it is back. Returns the function that ends it.
   */
  onChange(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends what is still buffered and closes; at most `timeoutMs`. */
  async close(timeoutMs = 5000): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#giveUpTimer);
    if (this.connected()) {
      await atMost(timeoutMs, this.nc.drain()).catch((error) => this.log.warn({ err: error }, "nats: drain failed"));
    }
    await this.nc.close();
  }

  async #follow(): Promise<void> {
    const closed = this.nc.closed();
    try {
      for await (const status of this.nc.status()) this.#note(status);
    } catch (error) {
      this.log.error({ err: error }, "nats: status events ended");
    }
    const error = await closed;
    this.#set(false);
    clearTimeout(this.#giveUpTimer);
    if (this.#closing) return;
    const reason = this.#givenUp ?? (error instanceof Error ? error : new Error("nats: connection closed"));
    this.log.fatal({ err: reason }, "nats: connection is gone for good");
    this.#onClosed(reason);
  }

  #note(status: Status): void {
    switch (status.type) {
      case "disconnect":
        this.#set(false);
        this.log.warn({ server: status.server }, "nats: disconnected");
        break;
      case "reconnect":
        this.#set(true);
        this.log.info({ server: status.server }, "nats: connected again");
        break;
      case "error":
        this.log.error({ err: status.error }, "nats: error");
        break;
      case "staleConnection":
        this.log.warn("nats: the server does not answer");
        break;
      case "slowConsumer":
      case "ldm":
        this.log.warn({ status: status.type }, "nats: status");
        break;
      default:
        this.log.trace({ status: status.type }, "nats: status");
    }
  }

  #set(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#outage.since = connected ? undefined : Date.now();
    clearTimeout(this.#giveUpTimer);
    if (!connected && !this.#closing) {
      this.#giveUpTimer = setTimeout(() => this.#giveUp(), this.#maxDisconnectedMs);
    }
    for (const listener of this.#listeners) listener(connected);
  }

  #giveUp(): void {
    this.#givenUp = new Error(`nats: no connection for ${this.#maxDisconnectedMs} ms`);
    this.nc.close().catch((error) => this.log.error({ err: error }, "nats: close failed"));
  }
}

/** Waits for a promise, but not longer than `timeoutMs`. */
export async function atMost(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([promise, over]).finally(() => clearTimeout(timer));
}

/** Since when there is no connection. */
interface Outage {
  since: number | undefined;
}

/** Connects, trying until `connectTimeoutMs` is over. */
export async function connectLink(options: LinkOptions): Promise<Link> {
  const outage: Outage = { since: Date.now() };
  const giveUpAt = Date.now() + (options.connectTimeoutMs ?? 30_000);
  for (let attempt = 1; ; attempt++) {
    const left = giveUpAt - Date.now();
    try {
      const nc = await connect(connectionOptions(options, Math.max(500, Math.min(left, 5000)), outage));
      outage.since = undefined;
      return new Link(nc, options, outage);
    } catch (error) {
      const wait = reconnectDelayMs(outage);
      if (left <= wait) throw shared.unavailable(`nats can't be reached as ${options.name}`, error);
      options.log.warn({ err: error, attempt }, "nats: can't connect yet");
      await sleep(wait);
    }
  }
}

/** The scheme and the user may be said once for all. */
function serverUrls(list: string): URL[] {
  const [first = "", ...others] = list.split(",").map((url) => url.trim());
  const { protocol } = new URL(first);
  return [first, ...others].map((url) => new URL(url.includes("://") ? url : `${protocol}//${url}`));
}

function connectionOptions(options: LinkOptions, timeout: number, outage: Outage): ConnectionOptions {
  const urls = serverUrls(options.url);
  const user = urls.find((url) => url.username !== "");
  // A whole fleet must not come back at the same moment.
  const jitter = 0.75 + Math.random() / 2;
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port === "" ? 4222 : url.port}`),
    name: options.name,
    ...(user === undefined ? {} : { user: decodeURIComponent(user.username), pass: decodeURIComponent(user.password) }),
    ...(urls.some((url) => url.protocol === "tls:") ? { tls: {} } : {}),
    timeout,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => reconnectDelayMs(outage) * jitter,
    pingInterval: options.pingIntervalMs ?? 5000,
    maxPingOut: 2,
    // The traces of where a request began cost about as much as the request.
    noAsyncTraces: true,
  };
}

/**
 * 250 ms in the first 5 seconds, then 2 s: every failed attempt costs the driver some memory that it never gives
 * back.
 */
function reconnectDelayMs(outage: Outage): number {
  return Date.now() - (outage.since ?? Date.now()) < 5000 ? 250 : 2000;
}
