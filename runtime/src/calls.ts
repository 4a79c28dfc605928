import { create, type DescMethodBiDiStreaming } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";
import { type BatchItem, type BatchShape, batchShape } from "./batch.ts";
import type { CallLine, OnLost, Pending } from "./call-line.ts";
import { CallStream, isUnimplemented } from "./call-stream.ts";
import type { Channel } from "./channel.ts";
import { Channels } from "./channels.ts";
import { type ServiceError, shared } from "./fail.ts";
import { pathOf } from "./grpc-wire.ts";
import type { RequestItemInit, ResponseItem } from "./handlers.ts";
import { NearStream } from "./near-stream.ts";
import type { Neighbours } from "./neighbours.ts";
import { Unanswered, type WhyUnanswered } from "./unanswered.ts";

export interface CallsOptions<M extends DescMethodBiDiStreaming> {
  readonly method: M;
  /** Undefined when every call names its address. */
  readonly addresses: Addresses | undefined;
  readonly log: Logger;
  /** How long a call waits for its answer when it sets nothing itself, in milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /**
   * While the address answers other calls of the stream, one waits longer than its timeout: up to so many milliseconds in all. A
   * timeout then means that nothing at all has come for that long. For calls that must not be processed twice only because a peer
   * has much to do. Default: no longer.
   */
  readonly patientMs?: number;
  /** Calls per address that wait for an answer; one more is refused with OVERLOADED. Default 1024. */
  readonly maxInFlight?: number;
  /**
   * Whether what is unanswered when a stream breaks is sent again to the next address, until its timeout, at most twice.
   * Only for calls that may be processed again. Default false.
   */
  readonly resend?: boolean;
  /** How long the stream to an address that only calls name is kept without use, in milliseconds. Default 60 000. */
  readonly namedIdleMs?: number;
  /** Doors of this process: what is called there needs no stream and is not copied. */
  readonly neighbours?: Neighbours;
}

export interface CallOptions {
  /** Same key, same address, as long as that address is up. Without a key the addresses take turns. */
  readonly key?: string;
  /** Exactly this address; when its stream breaks, the call fails. */
  readonly address?: string;
  /** How long to wait for the answer, in milliseconds, kept to about 200 ms. */
  readonly timeoutMs?: number;
}

/** Calls that travel in batches over one long-lived stream per address. */
export interface Calls<M extends DescMethodBiDiStreaming> {
  /**
   * Rejects with the ServiceError that the item was answered with. Without an answer: with OUTCOME_UNKNOWN when it was sent; when it
   * certainly never was, with OVERLOADED if the address has more to do than it can, else with UNAVAILABLE. The cause of all but
   * OVERLOADED is an `Unanswered`. A message given as the item belongs to the call from then on.
   */
  call(item: RequestItemInit<M>, options?: CallOptions): Promise<ResponseItem<M>>;
  /** Ends the streams; what is unanswered is rejected. */
  close(): void;
}

/** Connects to a method of batched calls; streams open with the first call that needs them. */
export function connectCalls<M extends DescMethodBiDiStreaming>(options: CallsOptions<M>): Calls<M> {
  const calls = new BatchedCalls(options);
  return {
    call: (item, callOptions) => calls.call(item, callOptions) as Promise<ResponseItem<M>>,
    close: () => calls.close(),
  };
}

/** How often timeouts are looked for. */
const SWEEP_MS = 100;
/** Streams that a call may be written to: one that brings its peer down must not go through all of them. */
const MAX_SENDS = 3;

class BatchedCalls {
  readonly #method: DescMethodBiDiStreaming;
  readonly #path: string;
  readonly #shape: BatchShape;
  readonly #log: Logger;
  readonly #timeoutMs: number;
  readonly #patientMs: number;
  readonly #maxInFlight: number;
  readonly #resend: boolean;
  readonly #channels: Channels;
  /** The stream of each channel that takes new calls. */
  readonly #streams = new Map<Channel, CallLine>();
  /** Streams that take none any more but are still to be answered. */
  readonly #draining = new Set<CallLine>();
  /** Calls that found no address, or a full one, after they had lost theirs; oldest first. Only with resend. */
  #parked: Pending[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  /** When timeouts were looked for last. */
  #sweptAt = 0;
  #closed = false;

  constructor(options: CallsOptions<DescMethodBiDiStreaming>) {
    const { method, addresses, log, namedIdleMs, neighbours } = options;
    this.#method = method;
    this.#path = pathOf(method);
    this.#shape = batchShape(method);
    this.#log = log;
    this.#timeoutMs = options.timeoutMs ?? 5000;
    this.#patientMs = options.patientMs ?? 0;
    this.#maxInFlight = options.maxInFlight ?? 1024;
    this.#resend = options.resend ?? false;
    this.#channels = new Channels({
      service: method.parent.typeName,
      addresses,
      log,
      neighbours,
      onChange: (channel) => this.#changed(channel),
      ...(namedIdleMs === undefined ? {} : { namedIdleMs }),
    });
  }

  call(init: unknown, { key, address, timeoutMs = this.#timeoutMs }: CallOptions = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const item = create(this.#shape.inputItem, init as Record<string, unknown>) as BatchItem;
      const now = Date.now();
      const [deadline, latest] = [now + timeoutMs, now + Math.max(timeoutMs, this.#patientMs)];
      const pending = { item, key, address, resolve, reject, timeoutMs, deadline, latest, sends: 0 };
      if (this.#sweeper === undefined) {
        this.#sweptAt = now;
        this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
      }
      // Nobody overtakes the calls that wait.
      if (this.#parked.length > 0 && address === undefined) this.#park(pending);
      else this.#dispatch(pending);
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    const streams = [...this.#streams.values(), ...this.#draining];
    const left = [...streams.flatMap((stream) => stream.abandon()), ...this.#parked];
    this.#streams.clear();
    this.#draining.clear();
    this.#parked = [];
    this.#channels.close();
    for (const pending of left) pending.reject(this.#unanswered(pending, "lost"));
  }

  /** Gives a call to the stream of its address. */
  #dispatch(pending: Pending): void {
    const channel = this.#closed ? undefined : this.#channelOf(pending);
    if (channel === undefined) {
      this.#park(pending);
      return;
    }
    const stream = this.#streams.get(channel) ?? this.#open(channel);
    if (stream === undefined) this.#dispatch(pending);
    else if (stream.size < this.#maxInFlight) stream.push(pending);
    else if (pending.sends > 0) this.#park(pending);
    else pending.reject(shared.overloaded(`${this.#maxInFlight} calls to ${channel.address} wait already`));
  }

  #channelOf({ key, address }: Pending): Channel | undefined {
    if (address === undefined) return this.#channels.pick(key);
    const channel = this.#channels.at(address);
    return channel.usable ? channel : undefined;
  }

  /** Keeps a call until an address takes it; without resend, or for a named address, there is nothing to wait for. */
  #park(pending: Pending): void {
    const waits = this.#resend && pending.address === undefined && !this.#closed;
    if (waits && this.#parked.length < this.#maxInFlight) this.#parked.push(pending);
    else if (waits && pending.sends === 0) pending.reject(shared.overloaded("too many calls wait for an address"));
    else pending.reject(this.#unanswered(pending, "lost"));
  }

  #unpark(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const pending of parked) this.#dispatch(pending);
  }

  /** Undefined when it turns out that nothing can go there. */
  #open(channel: Channel): CallLine | undefined {
    channel.open();
    if (!channel.usable) return undefined;
    const { neighbour } = channel;
    const line =
      neighbour === undefined
        ? new CallStream(channel, this.#path, this.#shape, this.#onLost)
        : new NearStream(channel, neighbour, this.#method, this.#shape, this.#onLost);
    this.#streams.set(channel, line);
    return line;
  }

  /** A peer that is down or draining gets nothing new, but may yet answer what it has. So may one that has become a neighbour. */
  #changed(channel: Channel): void {
    const stream = this.#streams.get(channel);
    if (stream !== undefined && !(channel.usable && stream.neighbour === channel.neighbour)) {
      this.#streams.delete(channel);
      const queued = stream.drain();
      if (stream.size > 0) this.#draining.add(stream);
      for (const pending of queued) this.#redirect(pending);
    }
    if (channel.state === "up") this.#unpark();
  }

  readonly #onLost: OnLost = (stream, left, cause) => {
    const { channel } = stream;
    this.#log.warn({ err: cause, peer: channel.address, rpc: this.#path, calls: left.length }, "stream of calls lost");
    if (!this.#draining.delete(stream)) {
      this.#streams.delete(channel);
      channel.suspect(cause);
    }
    const refused = isUnimplemented(cause) ? shared.unimplemented(`${this.#path} is not implemented`) : undefined;
    for (const pending of left) {
      if (refused !== undefined) pending.reject(refused);
      else this.#redirect(pending);
    }
  };

  /** Sends a call that lost its stream to the next address, if that can do no harm. */
  #redirect(pending: Pending): void {
    const { address, sends } = pending;
    const movable = address === undefined && (sends === 0 || (this.#resend && sends < MAX_SENDS));
    if (movable) this.#dispatch(pending);
    else pending.reject(this.#unanswered(pending, "lost"));
  }

  #unanswered({ sends }: Pending, why: WhyUnanswered): ServiceError {
    if (sends > 0) return shared.outcomeUnknown(`${this.#path} did not answer`, new Unanswered(why));
    if (why === "busy") return shared.overloaded(`${this.#path} has too much to do`);
    return shared.unavailable(`${this.#path} cannot be reached`, new Unanswered(why));
  }

  /**
   * Takes for late only what was so the time before: while this process was held up itself, answers came that it has yet to read,
   * and timers run before sockets are read.
   */
  #sweep(): void {
    const now = this.#sweptAt;
    this.#sweptAt = Date.now();
    const expired = (pending: Pending, why: WhyUnanswered) => pending.reject(this.#unanswered(pending, why));
    let waiting = 0;
    for (const stream of [...this.#streams.values(), ...this.#draining]) {
      stream.expire(now, expired);
      waiting += stream.size;
      if (stream.size === 0) this.#draining.delete(stream);
    }
    const late = this.#parked.filter((pending) => pending.deadline <= now);
    if (late.length > 0) this.#parked = this.#parked.filter((pending) => pending.deadline > now);
    for (const pending of late) expired(pending, "lost");
    this.#unpark();
    if (waiting > 0 || this.#parked.length > 0 || this.#draining.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
