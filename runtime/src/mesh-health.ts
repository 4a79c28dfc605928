import { create, fromBinary } from "@bufbuild/protobuf";
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@oceanchat/gen/grpc/health/v1/health_pb";
import { asIs, encode, pathOf } from "./grpc-wire.ts";

/** grpc.health.v1.Health of a door: what it says is what `setServing` was last told. */
export class MeshHealth {
  /** "" stands for the whole server. */
  readonly #services: ReadonlySet<string>;
  /** The open watches, and whether they ask for a service that is here. */
  readonly #watches = new Map<ServerWritableStream<Buffer, Buffer>, boolean>();
  #serving = false;
  #closed = false;

  constructor(services: Iterable<string>) {
    this.#services = new Set(["", Health.typeName, ...services]);
  }

  register(server: Server): void {
    const check = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => this.#check(call, answer);
    const watch = (call: ServerWritableStream<Buffer, Buffer>) => this.#watch(call);
    server.register(pathOf(Health.method.check), check, asIs, asIs, "unary");
    server.register(pathOf(Health.method.watch), watch, asIs, asIs, "serverStream");
  }

  setServing(serving: boolean): void {
    if (this.#closed || serving === this.#serving) return;
    this.#serving = serving;
    for (const [watch, known] of this.#watches) if (known) watch.write(this.#answer());
  }

  /** NOT_SERVING for good; ends the watches, which otherwise last as long as their connections. */
  close(): void {
    this.setServing(false);
    this.#closed = true;
    for (const watch of this.#watches.keys()) watch.end();
    this.#watches.clear();
  }

  #check(call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
    const service = serviceOf(call.request);
    if (service === undefined) answer({ code: status.INVALID_ARGUMENT, details: "not a HealthCheckRequest" });
    else if (!this.#services.has(service)) answer({ code: status.NOT_FOUND, details: "unknown service" });
    else answer(null, this.#answer());
  }

  /** A stream writes so little that its peer can't fall behind: a status per change, and the last one before the end. */
  #watch(call: ServerWritableStream<Buffer, Buffer>): void {
    const service = serviceOf(call.request);
    const known = service !== undefined && this.#services.has(service);
    call.write(known ? this.#answer() : encodeStatus(ServingStatus.SERVICE_UNKNOWN));
    if (this.#closed) {
      call.end();
      return;
    }
    this.#watches.set(call, known);
    call.on("cancelled", () => this.#watches.delete(call));
  }

  #answer(): Buffer {
    return encodeStatus(this.#serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  }
}

function serviceOf(request: Buffer): string | undefined {
  try {
    return fromBinary(HealthCheckRequestSchema, request).service;
  } catch {
    return undefined; // answered with INVALID_ARGUMENT
  }
}

function encodeStatus(value: ServingStatus): Buffer {
  return encode(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: value }));
}
