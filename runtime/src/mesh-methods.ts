import { randomUUID } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { type DescMessage, type DescMethod, fromBinary, type Message } from "@bufbuild/protobuf";
import type {
  handleUnaryCall,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  StatusObject,
} from "@grpc/grpc-js";
import { batchShape } from "./batch.ts";
import type { DoorMethods, Handler } from "./door-methods.ts";
import { shared, toServiceError } from "./fail.ts";
import { toGrpcStatus } from "./grpc-status.ts";
import { asIs, encode, pathOf } from "./grpc-wire.ts";
import type { CallContext } from "./handlers.ts";
import { BatchServer } from "./mesh-batches.ts";

type Call = Pick<ServerUnaryCall<Buffer, Buffer>, "metadata" | "getPeer"> & Pick<EventEmitter, "once">;
type WritableCall = ServerWritableStream<Buffer, Buffer>;
type DuplexCall = ServerDuplexStream<Buffer, Buffer>;

/** Puts a door's handlers on a gRPC server. Methods without one answer UNIMPLEMENTED. */
export class MeshMethods {
  readonly #server: Server;
  readonly #methods: DoorMethods;

  constructor(server: Server, methods: DoorMethods) {
    this.#server = server;
    this.#methods = methods;
    for (const [method, handler] of methods.all) {
      if (handler === undefined) this.#refuse(method);
      else if (method.methodKind === "unary") this.#unary(method, handler);
      else if (method.methodKind === "server_streaming") this.#serverStream(method, handler);
      else this.#batches(method, handler);
    }
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
        const request = parse(method.input, call.request);
        answer(null, encode(method.output, await this.#methods.unary(method, handler, request, context)));
      } catch (thrown) {
        answer(toGrpcStatus(this.#methods.report(thrown, path, context)));
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
        const request = parse(method.input, call.request);
        for await (const response of this.#methods.stream(method, handler, request, context)) {
          const more = call.write(encode(method.output, response));
          if (!more) await once(call, "drain", { signal: context.signal });
        }
        call.end();
      } catch (thrown) {
        if (!call.cancelled) call.emit("error", toGrpcStatus(this.#methods.report(thrown, path, context)));
      } finally {
        leave();
      }
    };
    this.#server.register(path, serve, asIs, asIs, "serverStream");
  }

  #batches(method: DescMethod, handler: Handler): void {
    const path = pathOf(method);
    const { maxItemsInFlight, maxMessageBytes } = this.#methods.limits;
    const shape = batchShape(method);
    const serve = (call: DuplexCall) => {
      const leave = this.#enter(path, call, (status) => call.emit("error", status));
      if (leave === undefined) return;
      call.once("finish", leave).once("cancelled", leave);
      const context = contextOf(call);
      const report = (thrown: unknown) => this.#methods.report(thrown, path, context);
      new BatchServer(call, { shape, handler, maxItemsInFlight, maxMessageBytes, report }, context);
    };
    this.#server.register(path, serve, asIs, asIs, "bidi");
  }

  /** Takes one of the places for calls and gives what frees it; undefined when there was none and the call was refused. */
  #enter(path: string, call: Call, refuse: (status: StatusObject) => void): (() => void) | undefined {
    try {
      return this.#methods.enter(path, call.getPeer());
    } catch (thrown) {
      refuse(toGrpcStatus(toServiceError(thrown)));
      return undefined;
    }
  }
}

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
