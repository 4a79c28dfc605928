import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";
import { Channel } from "./channel.ts";
import { shared } from "./fail.ts";
import type { Neighbours } from "./neighbours.ts";
import { hash, score } from "./rendezvous.ts";

/** Addresses that were named by a caller: kept while they are used. */
const MAX_NAMED = 1024;
const NAMED_IDLE_MS = 60_000;
const NONE: readonly Channel[] = [];
/** A service that nobody can reach has probably been restarted: it is back after about so long, and known to be. */
const RESTART_MS = 1000;
/** Callers that wait for that at the same time. */
const MAX_WAITING = 1024;

export interface ChannelsOptions {
  /** The type name of the service that is called: its health decides. */
  readonly service: string;
  /** Undefined when every call names its address. */
  readonly addresses: Addresses | undefined;
  readonly log: Logger;
  /** Told of every change of a channel's state. */
  readonly onChange?: (channel: Channel) => void;
  /** How long a named address is kept without use, in milliseconds. Default 60 000. */
  readonly namedIdleMs?: number;
  /** Doors of this process, which need no connection. */
  readonly neighbours?: Neighbours | undefined;
}

/** One channel per address of a service, opened when it is first picked. */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #named = new Map<string, { readonly channel: Channel; lastUsed: number }>();
  #addresses: readonly string[] = [];
  #listed: Channel[] = [];
  #turn = 0;
  /** Told that a channel is up. */
  readonly #waiting = new Set<() => void>();
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** A channel that isn't down: by the hash of the key, without a key in turn. Never one of `tried`. */
  pick(key: string | undefined, tried: readonly Channel[] = NONE): Channel | undefined {
    this.#follow();
    return key === undefined ? this.#next(tried) : this.#best(hash(key), tried);
  }

  #next(tried: readonly Channel[]): Channel | undefined {
    const count = this.#listed.length;
    for (let i = 0; i < count; i++) {
      const channel = this.#listed[(this.#turn + i) % count];
      if (channel?.usable && !tried.includes(channel)) {
        this.#turn = (this.#turn + i + 1) % count;
        return channel;
      }
    }
    return undefined;
  }

  #best(keyHash: number, tried: readonly Channel[]): Channel | undefined {
    let best: Channel | undefined;
    let bestScore = -1;
    for (const channel of this.#listed) {
      if (!channel.usable || tried.includes(channel)) continue;
      const value = score(keyHash, channel.hash);
      if (value > bestScore) {
        best = channel;
        bestScore = value;
      }
    }
    return best;
  }

  /** The channel to exactly this address, whether it is up or not. */
  at(address: string): Channel {
    const known = this.#named.get(address);
    if (known !== undefined) {
      known.lastUsed = Date.now();
      return known.channel;
    }
    if (this.#closed) throw shared.unavailable("the connections are closed");
    if (this.#named.size >= MAX_NAMED) throw shared.overloaded(`more than ${MAX_NAMED} addresses are in use`);
    const channel = this.#open(address);
    this.#named.set(address, { channel, lastUsed: Date.now() });
    const idleMs = this.#options.namedIdleMs ?? NAMED_IDLE_MS;
    this.#sweeper ??= setInterval(() => this.#sweep(Date.now() - idleMs), idleMs / 4).unref();
    return channel;
  }

  /**
   * Waits until one of the listed channels is up, which are all down, but not past `deadline`. Answers false when none is in time, when
   * there are none, and at once when too many wait already.
   */
  async comeback(deadline: number): Promise<boolean> {
    const waitMs = Math.min(RESTART_MS, deadline - Date.now());
    if (this.#listed.length === 0 || this.#closed || waitMs <= 0 || this.#waiting.size >= MAX_WAITING) return false;
    return new Promise((resolve) => {
      const answer = (up: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(told);
        resolve(up);
      };
      const told = () => answer(!this.#closed);
      const timer = setTimeout(answer, waitMs, false);
      this.#waiting.add(told);
    });
  }

  close(): void {
    this.#closed = true;
    for (const told of this.#waiting) told();
    clearInterval(this.#sweeper);
    for (const { channel } of this.#named.values()) channel.close();
    for (const channel of this.#listed) channel.close();
    this.#named.clear();
    this.#listed = [];
  }

  #open(address: string): Channel {
    const { service, log, neighbours } = this.#options;
    const onChange = (channel: Channel) => {
      this.#options.onChange?.(channel);
      if (channel.state === "up") for (const told of this.#waiting) told();
    };
    return new Channel(address, { service, log, onChange, neighbours });
  }

  /** Takes up a new list of addresses; an address that is in both keeps its channel. */
  #follow(): void {
    const now = this.#options.addresses?.current() ?? this.#addresses;
    if (now === this.#addresses || this.#closed) return;
    this.#addresses = now;
    const before = new Map(this.#listed.map((channel) => [channel.address, channel]));
    this.#listed = now.map((address) => before.get(address) ?? this.#open(address));
    for (const [address, channel] of before) if (!now.includes(address)) channel.close();
  }

  #sweep(usedBefore: number): void {
    for (const [address, { channel, lastUsed }] of this.#named) {
      if (lastUsed > usedBefore) continue;
      this.#named.delete(address);
      channel.close();
    }
    if (this.#named.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
