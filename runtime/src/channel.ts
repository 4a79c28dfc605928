import { create, fromBinary } from "@bufbuild/protobuf";
import { Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponse_ServingStatusSchema as ServingStatusSchema,
} from "@oceanchat/gen/grpc/health/v1/health_pb";
import type { Logger } from "pino";
import { asIs, encode, MAX_MESSAGE_BYTES, pathOf, transportOptions } from "./grpc-wire.ts";
import type { Neighbour } from "./neighbour.ts";
import type { Neighbours } from "./neighbours.ts";
import { hash } from "./rendezvous.ts";

/** `idle`: never used. `up`: the peer says SERVING. `down`: it says otherwise, or nothing. */
export type ChannelState = "idle" | "connecting" | "up" | "down" | "closed";

/** How long a peer may take to accept a connection and say how it is. */
const CONNECT_TIMEOUT_MS = 1000;
const MIN_BACKOFF_MS = 250;
/** Calls wait `RESTART_MS` (channels.ts) for a peer: one that is back is found within that. */
const MAX_BACKOFF_MS = 500;

const OPTIONS = {
  ...transportOptions(MAX_MESSAGE_BYTES),
  // Retries are ours: grpc-js would only try the same address again.
  "grpc.enable_retries": 0,
  // Without it a write counts as done before it is sent, until 1 MiB waits in the retry buffer that we don't use.
  "grpc.per_rpc_retry_buffer_size": 0,
  // Below our own backoff, so that ours decides.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 200,
  // Streams full of batches and single calls to the same peer don't share a connection's window.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
};

export interface ChannelOptions {
  /** The type name of the service that is called. */
  readonly service: string;
  readonly log: Logger;
  /** Told of every change of the channel's state, and when it leads another way. */
  readonly onChange: (channel: Channel) => void;
  readonly neighbours: Neighbours | undefined;
}

/**
 * The way to one address. Whether it can be used is what its health service says on a watch that stays open: one stream tells
 * of the connection, of a peer that drains and of one that is gone. While it is down the watch is tried again with backoff. Where a
 * door of this process is entered, it leads there and needs no connection.
 */
export class Channel {
  readonly address: string;
  /** For the rendezvous hash. */
  readonly hash: number;
  readonly #options: ChannelOptions;
  #client: Client | undefined;
  #neighbour: Neighbour | undefined;
  #unfollow: (() => void) | undefined;
  #state: ChannelState = "idle";
  #watch: ClientReadableStream<Buffer> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #known = Promise.withResolvers<void>();

  constructor(address: string, options: ChannelOptions) {
    this.address = address;
    this.hash = hash(address);
    this.#options = options;
  }

  /** Its end of the connection, while it doesn't lead to a neighbour. */
  get client(): Client {
    this.#client ??= new Client(this.address, credentials.createInsecure(), OPTIONS);
    return this.#client;
  }

  /** The door of this process that it leads to. */
  get neighbour(): Neighbour | undefined {
    return this.#neighbour;
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Not known to be down: the first use finds out. */
  get usable(): boolean {
    return this.#state !== "down" && this.#state !== "closed";
  }

  /** Connects when that has not been tried yet. */
  open(): void {
    if (this.#state !== "idle") return;
    this.#set("connecting");
    this.#unfollow = this.#options.neighbours?.follow(this.address, () => this.#reach());
    this.#reach();
  }

  /** Connects, and says whether the peer can be used; at once when that is known. */
  async ready(): Promise<boolean> {
    this.open();
    if (this.#state === "connecting") await this.#known.promise;
    return this.#state === "up";
  }

  /** Takes the address out of use although its health said nothing: a stream to it broke. It is checked after a backoff. */
  suspect(cause: unknown): void {
    if (this.#state === "up" || this.#state === "connecting") this.#lose(cause);
  }

  /** No new use; calls that run are answered yet. */
  close(): void {
    if (this.#state === "closed") return;
    this.#forget();
    this.#unfollow?.();
    this.#set("closed");
    this.#client?.close();
  }

  /** Takes up what is entered for its address; connects when there is nothing. */
  #reach(): void {
    const before = this.#neighbour;
    this.#neighbour = this.#options.neighbours?.at(this.address);
    if (this.#neighbour === undefined) {
      if (before === undefined) this.#connect();
      else this.#lose(new Error("it has left this process"));
      return;
    }
    this.#forget();
    this.#client?.close(); // or it goes on trying to connect
    this.#client = undefined;
    this.#failures = 0;
    if (this.#neighbour.serves(this.#options.service)) this.#set("up");
    else this.#set("down", "NOT_SERVING");
    if (before !== this.#neighbour) this.#options.onChange(this);
  }

  #connect(): void {
    const request = encode(
      HealthCheckRequestSchema,
      create(HealthCheckRequestSchema, { service: this.#options.service }),
    );
    const path = pathOf(Health.method.watch);
    const watch = this.client.makeServerStreamRequest(path, asIs, asIs, request, new Metadata());
    const lost = (cause: unknown) => {
      if (watch === this.#watch) this.#lose(cause);
    };
    this.#watch = watch;
    this.#timer = setTimeout(() => lost(new Error("no answer in time")), CONNECT_TIMEOUT_MS).unref();
    watch.on("data", (bytes: Buffer) => {
      if (watch === this.#watch) this.#hear(bytes);
    });
    watch.on("error", lost);
    watch.on("end", () => lost(new Error("the peer is closing")));
  }

  #hear(bytes: Buffer): void {
    clearTimeout(this.#timer);
    let serving: ServingStatus;
    try {
      serving = fromBinary(HealthCheckResponseSchema, bytes).status;
    } catch (cause) {
      this.#lose(cause);
      return;
    }
    this.#failures = 0;
    if (serving === ServingStatus.SERVING) this.#set("up");
    else this.#set("down", ServingStatusSchema.value[serving]?.name);
  }

  #lose(cause: unknown): void {
    this.#forget();
    const backoff = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.#reach(), backoff * (0.75 + Math.random() / 2)).unref();
    this.#set("down", cause instanceof Error ? cause.message : String(cause));
  }

  #forget(): void {
    clearTimeout(this.#timer);
    const watch = this.#watch;
    this.#watch = undefined;
    watch?.cancel();
  }

  #set(state: ChannelState, why?: string): void {
    if (state === this.#state) return;
    this.#state = state;
    const peer = { peer: this.address, service: this.#options.service };
    if (state === "down") this.#options.log.warn({ ...peer, why }, "peer down");
    if (state === "up") this.#options.log.info(peer, "peer up");
    if (state !== "connecting") this.#known.resolve();
    this.#options.onChange(this);
  }
}
