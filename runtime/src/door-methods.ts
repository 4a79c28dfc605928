import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Logger } from "pino";
import { type ServiceError, shared, toServiceError } from "./fail.ts";
import { pathOf } from "./grpc-wire.ts";
import type { CallContext, Registration } from "./handlers.ts";
import type { RequestValidator } from "./validate.ts";

export interface DoorLimits {
  readonly maxMessageBytes: number;
  readonly maxItemsInFlight: number;
  readonly maxCallsInFlight: number;
}

/** A handler whose types were checked where it was bound to its service, by `implement`. */
export type Handler = (request: Message, context: CallContext) => unknown;

/** What `create` takes when the schema is only known at run time. */
export type Init = Record<string, unknown>;

/** The handlers of a mesh door, however they are called: limits, validation and errors are the same for all of them. */
export class DoorMethods {
  readonly limits: DoorLimits;
  /** The type names of the services. */
  readonly services: readonly string[];
  readonly #handlers: ReadonlyMap<DescMethod, Handler | undefined>;
  readonly #log: Logger;
  readonly #validate: RequestValidator;
  #running = 0;

  constructor(registrations: readonly Registration[], limits: DoorLimits, validate: RequestValidator, log: Logger) {
    this.limits = limits;
    this.#validate = validate;
    this.services = registrations.map(({ service }) => service.typeName);
    this.#handlers = new Map(
      registrations.flatMap(({ service, handlers }) =>
        service.methods.map((method) => [method, handlerOf(method, handlers)] as const),
      ),
    );
    this.#log = log;
  }

  get all(): Iterable<readonly [DescMethod, Handler | undefined]> {
    return this.#handlers;
  }

  /** Throws UNIMPLEMENTED when there is none. */
  handler(method: DescMethod): Handler {
    const handler = this.#handlers.get(method);
    if (handler === undefined) throw shared.unimplemented(`${pathOf(method)} is not implemented`);
    return handler;
  }

  /** Takes one of the places for calls and gives what frees it. Throws OVERLOADED when there is none. */
  enter(path: string, peer: string): () => void {
    if (this.#running >= this.limits.maxCallsInFlight) {
      this.#log.warn({ rpc: path, peer, running: this.#running }, "too many calls on the mesh door");
      throw shared.overloaded("too many calls run already");
    }
    this.#running++;
    let here = true;
    return () => {
      if (here) this.#running--;
      here = false;
    };
  }

  /** Answers a unary call. */
  async unary(method: DescMethod, handler: Handler, request: Message, context: CallContext): Promise<Message> {
    this.#validate(method.input, request);
    return create(method.output, (await handler(request, context)) as Init);
  }

  /** Answers a call with a stream, as far as it is read. */
  async *stream(method: DescMethod, handler: Handler, request: Message, context: CallContext): AsyncGenerator<Message> {
    this.#validate(method.input, request);
    for await (const response of handler(request, context) as AsyncIterable<Init>) {
      context.signal.throwIfAborted();
      yield create(method.output, response);
    }
  }

  /** The error to send; what is a defect is logged here, since its cause never leaves. */
  report(thrown: unknown, path: string, context: CallContext): ServiceError {
    const error = toServiceError(thrown);
    if (error.code === Code.Internal) {
      this.#log.error({ err: error.cause ?? error, rpc: path, requestId: context.requestId }, "a mesh call failed");
    }
    return error;
  }
}

function handlerOf(method: DescMethod, handlers: Registration["handlers"]): Handler | undefined {
  if (method.methodKind === "client_streaming")
    throw new TypeError(`${pathOf(method)}: client streams are not supported`);
  const handler = handlers[method.localName];
  if (handler === undefined || typeof handler === "function") return handler as Handler | undefined;
  throw new TypeError(`the handler of ${method.parent.typeName}.${method.name} is not a function`);
}
