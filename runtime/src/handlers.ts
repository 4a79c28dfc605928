import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { shared } from "./fail.ts";

/** Who calls, as proven by the access token. Never taken from a request field. */
export interface Caller {
  readonly userId: string;
  readonly sessionId: string;
  readonly deviceId: string;
  /** The `plat` claim: the name of a `Platform` value, for instance `PLATFORM_WEB`. */
  readonly platform: string;
}

/** What a handler knows of its call beside the request. The same on both doors. */
export interface CallContext {
  /** From the edge's `x-request-id`, or new. */
  readonly requestId: string;
  /** The verified caller; absent on anonymous methods and on the mesh door. */
  readonly caller: Caller | undefined;
  /** Aborted when the client goes away, the deadline passes or the process stops. */
  readonly signal: AbortSignal;
  /** W3C trace context of this call; empty when it is not traced. Pass it on. */
  readonly traceparent: string;
  /** The client's address as the edge saw it; empty on the mesh door. */
  readonly remoteAddress: string;
}

/** The caller of a public method that needs one. */
export function callerOf(context: CallContext): Caller {
  if (context.caller === undefined) throw shared.tokenInvalid("an access token is required");
  return context.caller;
}

/** An item of a batched stream: answers carry the item's `ref`. */
export interface Item {
  ref: bigint;
}

type ItemOf<T> = T extends { items: (infer I)[] } ? I : never;
type InitOf<T> = T extends Message ? MessageInitShape<GenMessage<T>> : never;
type WithoutRef<T> = T | Omit<Exclude<InitOf<T>, T>, "ref">;

/** What one item of a bidi method's request batches is. */
export type RequestItem<M extends DescMethod> = ItemOf<MessageShape<M["input"]>>;
/** What one item of a bidi method's response batches is. */
export type ResponseItem<M extends DescMethod> = ItemOf<MessageShape<M["output"]>>;
/** What a caller gives for one item: the item without its `ref`, which the stream fills in. */
export type RequestItemInit<M extends DescMethod> = WithoutRef<RequestItem<M>>;
/** What a handler returns for one item: the answer without its `ref`, which the door fills in. */
export type ResponseItemInit<M extends DescMethod> = WithoutRef<ResponseItem<M>>;

type Handler<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageInitShape<O>> | MessageInitShape<O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
      : M extends DescMethodBiDiStreaming
        ? (item: RequestItem<M>, context: CallContext) => Promise<ResponseItemInit<M>> | ResponseItemInit<M>
        : never;

/**
 * A service's handlers, one per method that exists already; the others answer UNIMPLEMENTED.
 * Bidi methods are batched calls: the handler answers one item, the door does the batching.
 */
export type Handlers<S extends DescService> = { [K in keyof S["method"]]?: Handler<S["method"][K]> };

/** A service and its handlers, ready for a door. */
export interface Registration {
  readonly service: DescService;
  readonly handlers: Readonly<Record<string, unknown>>;
}

/** Binds handlers to the service that they implement. */
export function implement<S extends DescService>(service: S, handlers: Handlers<S>): Registration {
  return { service, handlers: handlers as Readonly<Record<string, unknown>> };
}
