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
import { hash } from "./rendezvous.ts";

/** `idle`: never used. `up`: the peer says SERVING. `down`: it says otherwise, or nothing. */
export type ChannelState = "idle" | "connecting" | "up" | "down" | "closed";

/** How long a peer may take to accept a connection and say how it is. */
const CONNECT_TIMEOUT_MS = 1000;
const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 2000;

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

/**
 * The way to one address. Whether it can be used is what its health service says on a watch that stays open: one stream tells
 * of the connection, of a peer that drains and of one that is gone. While it is down the watch is tried again with backoff.
 */
export class Channel {
  readonly address: string;
  /** For the rendezvous hash. */
  readonly hash: number;
  readonly client: Client;
  readonly #service: string;
  readonly #log: Logger;
  readonly #onChange: (channel: Channel) => void;
  #state: ChannelState = "idle";
  #watch: ClientReadableStream<Buffer> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #known = Promise.withResolvers<void>();

  constructor(address: string, service: string, log: Logger, onChange: (channel: Channel) => void) {
    this.address = address;
    this.hash = hash(address);
    this.client = new Client(address, credentials.createInsecure(), OPTIONS);
    this.#service = service;
    this.#log = log;
    this.#onChange = onChange;
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
    this.#connect();
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
    this.#set("closed");
    this.client.close();
  }

  #connect(): void {
    const request = encode(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service: this.#service }));
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
    this.#timer = setTimeout(() => this.#connect(), backoff * (0.75 + Math.random() / 2)).unref();
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
    const peer = { peer: this.address, service: this.#service };
    if (state === "down") this.#log.warn({ ...peer, why }, "peer down");
    if (state === "up") this.#log.info(peer, "peer up");
    if (state !== "connecting") this.#known.resolve();
    this.#onChange(this);
  }
}
