import {
  create,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { type ServiceError as GrpcError, Metadata } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";
import type { Channel } from "./channel.ts";
import { Channels } from "./channels.ts";
import { ServiceError, shared } from "./fail.ts";
import { fromGrpcStatus, type Loss, lossOf, lostCall } from "./grpc-status.ts";
import { asIs, encode, pathOf } from "./grpc-wire.ts";
import { GivenUp } from "./near-call.ts";
import type { Neighbours } from "./neighbours.ts";

export interface PeerOptions<S extends DescService> {
  readonly service: S;
  readonly addresses: Addresses;
  readonly log: Logger;
  /** The deadline of a call that sets none itself, in milliseconds. Default 2000. */
  readonly timeoutMs?: number;
  /** Doors of this process: what is called there needs no socket and is not copied. */
  readonly neighbours?: Neighbours;
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
  const { service, addresses, log, timeoutMs = 2000, neighbours } = options;
  const caller = new PeerCaller(new Channels({ service: service.typeName, addresses, log, neighbours }), timeoutMs);
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
    const request = create(method.input, init);
    const deadline = Date.now() + (options.timeoutMs ?? this.#timeoutMs);
    const tried: Channel[] = [];
    let last: unknown;
    while (tried.length <= MAX_RETRIES) {
      const channel = await this.#reachable(method, options, deadline, tried, last);
      if (Date.now() >= deadline)
        throw last ?? shared.unavailable(`${nameOf(method, channel)} was not reached in time`);
      try {
        return await attempt(channel, method, request, deadline, options);
      } catch (thrown) {
        const failure = failureOf(thrown, method, channel);
        last = failure.error;
        if (options.address !== undefined || options.signal?.aborted || !mayRepeat(method, failure.loss)) break;
        tried.push(channel);
      }
    }
    throw last;
  }

  async *stream(method: DescMethod, init: Init, options: PeerCallOptions = {}) {
    const request = create(method.input, init);
    const deadline = Date.now() + (options.timeoutMs ?? this.#timeoutMs);
    const channel = await this.#reachable(method, options, deadline);
    try {
      const { neighbour } = channel;
      if (neighbour === undefined) yield* read(channel, method, request, deadline, options);
      else yield* neighbour.stream(method, request, { ...options, deadline });
    } catch (thrown) {
      throw failureOf(thrown, method, channel).error;
    }
  }

  /** A channel that is up. While a service is restarted a call waits for it, unless it has been tried already. */
  async #reachable(
    method: DescMethod,
    options: PeerCallOptions,
    deadline: number,
    tried: readonly Channel[] = [],
    last?: unknown,
  ): Promise<Channel> {
    const { address } = options;
    if (address !== undefined) {
      const channel = this.#channels.at(address);
      if (await channel.ready()) return channel;
      throw shared.unavailable(`${nameOf(method, channel)} cannot be reached`);
    }
    const found = await this.#choose(options.key, tried);
    if (found !== undefined) return found;
    if (last !== undefined) throw last;
    const back = (await this.#channels.comeback(deadline)) ? await this.#choose(options.key, tried) : undefined;
    if (back === undefined) throw shared.unavailable(`no ${method.parent.typeName} can be reached`);
    return back;
  }

  /** An address that can't be reached was certainly not called, so the next one is taken. */
  async #choose(key: string | undefined, tried: readonly Channel[]): Promise<Channel | undefined> {
    const passed = [...tried];
    for (;;) {
      const channel = this.#channels.pick(key, passed);
      if (channel === undefined || (await channel.ready())) return channel;
      passed.push(channel);
    }
  }
}

async function attempt(
  channel: Channel,
  method: DescMethod,
  request: Message,
  deadline: number,
  options: PeerCallOptions,
): Promise<Message> {
  const { neighbour } = channel;
  if (neighbour !== undefined) return neighbour.unary(method, request, { ...options, deadline });
  const answered = new Promise<Buffer>((resolve, reject) => {
    const answer = (cause: GrpcError | null, response?: Buffer) => {
      forget();
      if (response === undefined) reject(cause ?? new Error("a call ended without answer"));
      else resolve(response);
    };
    const bytes = encode(method.input, request);
    const metadata = metadataOf(options);
    const call = channel.client.makeUnaryRequest(pathOf(method), asIs, asIs, bytes, metadata, { deadline }, answer);
    const forget = cancelOn(options.signal, call);
  });
  return fromBinary(method.output, await answered);
}

/** What comes from a socket as a stream. */
async function* read(
  channel: Channel,
  method: DescMethod,
  request: Message,
  deadline: number,
  options: PeerCallOptions,
): AsyncGenerator<Message> {
  const bytes = encode(method.input, request);
  const metadata = metadataOf(options);
  const call = channel.client.makeServerStreamRequest(pathOf(method), asIs, asIs, bytes, metadata, { deadline });
  const forget = cancelOn(options.signal, call);
  try {
    for await (const response of call) yield fromBinary(method.output, response);
  } finally {
    forget();
    call.cancel();
  }
}

/** Why a call failed, and whether it was lost on the way. */
function failureOf(
  thrown: unknown,
  method: DescMethod,
  channel: Channel,
): { readonly error: ServiceError; readonly loss: Loss | undefined } {
  const harmless = method.idempotency === Idempotency.NO_SIDE_EFFECTS;
  if (thrown instanceof GivenUp) {
    return { error: lostCall("unknown", nameOf(method, channel), harmless, thrown), loss: "unknown" };
  }
  if (thrown instanceof ServiceError) return { error: thrown, loss: undefined };
  if (!isGrpcError(thrown)) return { error: shared.internal(thrown), loss: undefined };
  return { error: fromGrpcStatus(thrown, nameOf(method, channel), harmless), loss: lossOf(thrown) };
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

function mayRepeat(method: DescMethod, loss: Loss | undefined): boolean {
  return loss === "never sent" || (loss === "unknown" && method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN);
}

const nameOf = (method: DescMethod, channel: Channel) =>
  `${method.parent.typeName}.${method.name} at ${channel.address}`;
