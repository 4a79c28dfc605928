import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";
import type { Channel } from "./channel.ts";
import { Channels } from "./channels.ts";
import { shared } from "./fail.ts";
import { fromGrpcStatus, lossOf } from "./grpc-status.ts";
import { asIs, encode, pathOf } from "./grpc-wire.ts";

export interface PeerOptions<S extends DescService> {
  readonly service: S;
  readonly addresses: Addresses;
  readonly log: Logger;
  /** The deadline of a call that sets none itself, in milliseconds. Default 2000. */
  readonly timeoutMs?: number;
}

export interface PeerCallOptions {
  /** Same key, same address, as long as that address is up. Without a key the addresses take turns. */
  readonly key?: string;
  /** Exactly this address and no other. */
  readonly address?: string;
  /** The deadline of the whole call, in milliseconds: retries, and a stream's last message, are within it. */
  readonly timeoutMs?: number;
  readonly traceparent?: string;
  readonly requestId?: string;
  /** Gives the call up, which then rejects; whether it took effect is unknown. */
  readonly signal?: AbortSignal;
}

type Call<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: PeerCallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: PeerCallOptions) => AsyncIterable<MessageShape<O>>
      : never;

/** One function per unary and server-streaming method. */
export type PeerCalls<S extends DescService> = {
  readonly [K in keyof S["method"] as S["method"][K] extends DescMethodUnary | DescMethodServerStreaming
    ? K
    : never]: Call<S["method"][K]>;
};

/** A service on the mesh: `peers.call.locate(request, { key })`. Apart from `close`, so that a method may be called close. */
export interface Peers<S extends DescService> {
  readonly call: PeerCalls<S>;
  /** Calls that run are answered yet. */
  close(): void;
}

/** Attempts after the first, each on another address. */
const MAX_RETRIES = 2;

/** Connects to a service; channels open with the first call that needs them. */
export function connectPeers<S extends DescService>(options: PeerOptions<S>): Peers<S> {
  const { service, addresses, log, timeoutMs = 2000 } = options;
  const caller = new PeerCaller(new Channels({ service: service.typeName, addresses, log }), timeoutMs);
  const call: Record<string, unknown> = {};
  for (const method of service.methods) {
    if (method.methodKind === "unary") {
      call[method.localName] = (request: Init, callOptions?: PeerCallOptions) =>
        caller.unary(method, request, callOptions);
    } else if (method.methodKind === "server_streaming") {
      call[method.localName] = (request: Init, callOptions?: PeerCallOptions) =>
        caller.stream(method, request, callOptions);
    }
  }
  return { call: call as PeerCalls<S>, close: () => caller.close() };
}

/** What `create` takes when the schema is only known at run time. */
type Init = Record<string, unknown>;

class PeerCaller {
  readonly #channels: Channels;
  readonly #timeoutMs: number;

  constructor(channels: Channels, timeoutMs: number) {
    this.#channels = channels;
    this.#timeoutMs = timeoutMs;
  }

  close(): void {
    this.#channels.close();
  }

  async unary(method: DescMethod, init: Init, options: PeerCallOptions = {}) {
    const request = encode(method.input, create(method.input, init));
    const deadline = Date.now() + (options.timeoutMs ?? this.#timeoutMs);
    const tried: Channel[] = [];
    let last: unknown;
    while (tried.length <= MAX_RETRIES) {
      const channel = await this.#reachable(method, options, tried, last);
      if (Date.now() >= deadline)
        throw last ?? shared.unavailable(`${nameOf(method, channel)} was not reached in time`);
      try {
        const response = await attempt(channel, method, request, deadline, options);
        return fromBinary(method.output, response);
      } catch (thrown) {
        if (!isGrpcError(thrown)) throw shared.internal(thrown);
        last = fromGrpcStatus(thrown, nameOf(method, channel), isHarmless(method));
        if (options.address !== undefined || options.signal?.aborted || !mayRepeat(method, thrown)) break;
        tried.push(channel);
      }
    }
    throw last;
  }

  async *stream(method: DescMethod, init: Init, options: PeerCallOptions = {}) {
    const request = encode(method.input, create(method.input, init));
    const deadline = Date.now() + (options.timeoutMs ?? this.#timeoutMs);
    const channel = await this.#reachable(method, options, [], undefined);
    const call = channel.client.makeServerStreamRequest(pathOf(method), asIs, asIs, request, metadataOf(options), {
      deadline,
    });
    const forget = cancelOn(options.signal, call);
    try {
      for await (const bytes of call) yield fromBinary(method.output, bytes);
    } catch (thrown) {
      if (!isGrpcError(thrown)) throw shared.internal(thrown);
      throw fromGrpcStatus(thrown, nameOf(method, channel), isHarmless(method));
    } finally {
      forget();
      call.cancel();
    }
  }

  /** A channel that is up. An address that can't be reached was certainly not called, so the next one is taken. */
  async #reachable(method: DescMethod, options: PeerCallOptions, tried: Channel[], last: unknown): Promise<Channel> {
    const unreachable = [...tried];
    for (;;) {
      const { address, key } = options;
      const channel = address === undefined ? this.#channels.pick(key, unreachable) : this.#channels.at(address);
      if (channel === undefined) throw last ?? shared.unavailable(`no ${method.parent.typeName} can be reached`);
      if (await channel.ready()) return channel;
      if (address !== undefined) throw shared.unavailable(`${nameOf(method, channel)} cannot be reached`);
      unreachable.push(channel);
    }
  }
}

function attempt(channel: Channel, method: DescMethod, request: Buffer, deadline: number, options: PeerCallOptions) {
  return new Promise<Buffer>((resolve, reject) => {
    const answer = (cause: GrpcError | null, response?: Buffer) => {
      forget();
      if (response !== undefined) resolve(response);
      else reject(cause ?? new Error("a call ended without answer"));
    };
    const metadata = metadataOf(options);
    const call = channel.client.makeUnaryRequest(pathOf(method), asIs, asIs, request, metadata, { deadline }, answer);
    const forget = cancelOn(options.signal, call);
  });
}

function metadataOf({ traceparent, requestId }: PeerCallOptions): Metadata {
  const metadata = new Metadata();
  if (traceparent) metadata.set("traceparent", traceparent);
  if (requestId) metadata.set("x-request-id", requestId);
  return metadata;
}

function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  return () => signal.removeEventListener("abort", cancel);
}

function isGrpcError(thrown: unknown): thrown is GrpcError {
  return thrown instanceof Error && "metadata" in thrown && thrown.metadata instanceof Metadata;
}

function mayRepeat(method: DescMethod, error: GrpcError): boolean {
  const loss = lossOf(error);
  return loss === "never sent" || (loss === "unknown" && method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN);
}

function isHarmless(method: DescMethod): boolean {
  return method.idempotency === Idempotency.NO_SIDE_EFFECTS;
}

const nameOf = (method: DescMethod, channel: Channel) =>
  `${method.parent.typeName}.${method.name} at ${channel.address}`;
