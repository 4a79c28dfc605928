import { randomUUID } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { create, type DescMessage, type DescMethod, fromBinary, type Message } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type {
  handleUnaryCall,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  StatusObject,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import { batchShape } from "./batch.ts";
import { type ServiceError, shared, toServiceError } from "./fail.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import { asIs, encode, pathOf } from "./grpc-wire.ts";
import type { CallContext } from "./handlers.ts";
import { BatchServer } from "./mesh-batches.ts";
import { createRequestValidator } from "./validate.ts";

export interface DoorLimits {
  readonly maxMessageBytes: number;
  readonly maxItemsInFlight: number;
  readonly maxCallsInFlight: number;
}

/** A handler whose types were checked where it was bound to its service, by `implement`. */
type Handler = (request: Message, context: CallContext) => unknown;
type Call = Pick<ServerUnaryCall<Buffer, Buffer>, "metadata" | "getPeer"> & Pick<EventEmitter, "once">;
type WritableCall = ServerWritableStream<Buffer, Buffer>;
type DuplexCall = ServerDuplexStream<Buffer, Buffer>;

/** Puts handlers on a gRPC server: decoding, validation, limits and errors are the same for all of them. */
export class MeshMethods {
  readonly #server: Server;
  readonly #limits: DoorLimits;
  readonly #log: Logger;
  readonly #validate = createRequestValidator();
  #running = 0;

  constructor(server: Server, limits: DoorLimits, log: Logger) {
    this.#server = server;
    this.#limits = limits;
    this.#log = log;
  }

  /** Without a handler the method answers UNIMPLEMENTED. */
  register(method: DescMethod, handler: unknown): void {
    const bound = handler as Handler | undefined;
    if (bound === undefined) this.#refuse(method);
    else if (method.methodKind === "unary") this.#unary(method, bound);
    else if (method.methodKind === "server_streaming") this.#serverStream(method, bound);
    else if (method.methodKind === "bidi_streaming") this.#batches(method, bound);
    else throw new TypeError(`${pathOf(method)}: client streams are not supported`);
  }

  /** Ends the call without reading it, which suits every kind of method. */
  #refuse(method: DescMethod): void {
    const path = pathOf(method);
    const status = toGrpcStatus(shared.unimplemented(`${path} is not implemented`));
    this.#server.register(path, (call: DuplexCall) => void call.emit("error", status), asIs, asIs, "bidi");
  }

  #unary(method: DescMethod, handler: Handler): void {
    const path = pathOf(method);
    const serve: handleUnaryCall<Buffer, Buffer> = async (call, answer) => {
      const leave = this.#enter(path, call, answer);
      if (leave === undefined) return;
      const context = contextOf(call);
      try {
        const request = this.#decode(method.input, call.request);
        const response = await handler(request, context);
        answer(null, encode(method.output, create(method.output, response as Init)));
      } catch (thrown) {
        answer(toGrpcStatus(this.#report(thrown, path, context)));
      } finally {
        leave();
      }
    };
    this.#server.register(path, serve, asIs, asIs, "unary");
  }

  #serverStream(method: DescMethod, handler: Handler): void {
    const path = pathOf(method);
    const serve = async (call: WritableCall) => {
      const leave = this.#enter(path, call, (status) => call.emit("error", status));
      if (leave === undefined) return;
      const context = contextOf(call);
      try {
        const request = this.#decode(method.input, call.request);
        for await (const response of handler(request, context) as AsyncIterable<Init>) {
          context.signal.throwIfAborted();
          const more = call.write(encode(method.output, create(method.output, response)));
          if (!more) await once(call, "drain", { signal: context.signal });
        }
        call.end();
      } catch (thrown) {
        if (!call.cancelled) call.emit("error", toGrpcStatus(this.#report(thrown, path, context)));
      } finally {
        leave();
      }
    };
    this.#server.register(path, serve, asIs, asIs, "serverStream");
  }

  #batches(method: DescMethod, handler: Handler): void {
    const path = pathOf(method);
    const { maxItemsInFlight, maxMessageBytes } = this.#limits;
    const shape = batchShape(method);
    const serve = (call: DuplexCall) => {
      const leave = this.#enter(path, call, (status) => call.emit("error", status));
      if (leave === undefined) return;
      call.once("finish", leave).once("cancelled", leave);
      const context = contextOf(call);
      const report = (thrown: unknown) => this.#report(thrown, path, context);
      new BatchServer(call, { shape, handler, maxItemsInFlight, maxMessageBytes, report }, context);
    };
    this.#server.register(path, serve, asIs, asIs, "bidi");
  }

  /** Takes one of the places for calls and gives what frees it; undefined when there was none and the call was refused. */
  #enter(path: string, call: Call, refuse: (status: StatusObject) => void): (() => void) | undefined {
    if (this.#running >= this.#limits.maxCallsInFlight) {
      this.#log.warn({ rpc: path, peer: call.getPeer(), running: this.#running }, "too many calls on the mesh door");
      refuse(toGrpcStatus(shared.overloaded("too many calls run already")));
      return undefined;
    }
    this.#running++;
    let here = true;
    return () => {
      if (here) this.#running--;
      here = false;
    };
  }

  #decode(schema: DescMessage, bytes: Buffer): Message {
    const request = parse(schema, bytes);
    this.#validate(schema, request);
    return request;
  }

  /** The error to send; what is a defect is logged here, since its cause never leaves. */
  #report(thrown: unknown, path: string, context: CallContext): ServiceError {
    const error = toServiceError(thrown);
    if (error.code === Code.Internal) {
      this.#log.error({ err: error.cause ?? error, rpc: path, requestId: context.requestId }, "a mesh call failed");
    }
    return error;
  }
}

/** What `create` takes when the schema is only known at run time. */
type Init = Record<string, unknown>;

function parse(schema: DescMessage, bytes: Buffer): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (cause) {
    throw shared.malformed(`the request is not a ${schema.typeName}`, cause);
  }
}

function contextOf(call: Call): CallContext {
  const [requestId] = call.metadata.get("x-request-id");
  const [traceparent] = call.metadata.get("traceparent");
  const ended = new AbortController();
  call.once("cancelled", () => ended.abort());
  return {
    requestId: typeof requestId === "string" ? requestId : randomUUID(),
    caller: undefined,
    signal: ended.signal,
    traceparent: typeof traceparent === "string" ? traceparent : "",
    remoteAddress: "",
  };
}
