import type {
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Addresses } from "./addresses.ts";

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
  readonly timeoutMs?: number;
  readonly traceparent?: string;
  readonly requestId?: string;
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
  close(): void;
}

export declare function connectPeers<S extends DescService>(options: PeerOptions<S>): Peers<S>;
