import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { type DescMethod, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { Code, type ConnectRouter, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "@oceanchat/gen/grpc/health/v1/health_pb";
import { anonymous } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import type { Logger } from "pino";
import { type ServiceError, shared, toServiceError } from "./fail.ts";
import type { CallContext, Caller, Registration } from "./handlers.ts";
import { bearerOf, type TokenVerifier } from "./token.ts";
import type { Tracing } from "./trace.ts";
import type { RequestValidator } from "./validate.ts";
import { toConnectError } from "./wire-error.ts";

/** Requests larger than this are refused; the edge's own limit is the same. */
const MAX_REQUEST_BYTES = 1024 * 1024;

export interface PublicDoorOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly registrations: readonly Registration[];
  /** Checks the access token of every method that isn't anonymous. */
  readonly verify: TokenVerifier;
  readonly validate: RequestValidator;
  readonly tracing: Tracing;
  readonly log: Logger;
}

/** The server that Envoy calls on behalf of clients: Connect, gRPC-Web and gRPC on one cleartext HTTP/2 port. */
export interface PublicDoor {
  readonly port: number;
  setServing(serving: boolean): void;
  /** No new calls, up to `graceMs` for those that run, then the end for what is left. */
  close(graceMs: number): Promise<void>;
}

type AnyHandler = (request: object, context: CallContext) => unknown;

/** Opens the door; NOT_SERVING until `setServing(true)`. */
export async function openPublicDoor(options: PublicDoorOptions): Promise<PublicDoor> {
  const stop = new AbortController();
  let serving = false;
  const routes = (router: ConnectRouter) => {
    for (const { service, handlers } of options.registrations) {
      router.service(service, implementation(options, service, handlers));
    }
    const status = () => ({ status: serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING });
    router.service(Health, { check: status });
  };
  const server = createServer(
    connectNodeAdapter({ routes, readMaxBytes: MAX_REQUEST_BYTES, shutdownSignal: stop.signal }),
  );
  const sessions = trackSessions(server, options.log);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    setServing: (value) => {
      serving = value;
    },
    close: (graceMs) => closeServer(server, sessions, stop, graceMs),
  };
}

function trackSessions(server: Http2Server, log: Logger): Set<ServerHttp2Session> {
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", (error) => log.debug({ err: error }, "public door: session error"));
  });
  server.on("sessionError", (error) => log.debug({ err: error }, "public door: session error"));
  return sessions;
}

async function closeServer(
  server: Http2Server,
  sessions: Set<ServerHttp2Session>,
  stop: AbortController,
  graceMs: number,
) {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions) session.close();
  const force = setTimeout(() => {
    stop.abort(shared.unavailable("the service is stopping"));
    setTimeout(() => {
      for (const session of sessions) session.destroy();
    }, 100).unref();
  }, graceMs);
  await closed;
  clearTimeout(force);
}

function implementation(
  edge: PublicDoorOptions,
  service: DescService,
  handlers: Registration["handlers"],
): ServiceImpl<DescService> {
  const methods: Record<string, unknown> = {};
  for (const method of service.methods) {
    const handler = handlers[method.localName];
    if (method.methodKind === "unary") methods[method.localName] = unary(edge, method, handler);
    else if (method.methodKind === "server_streaming") methods[method.localName] = serverStream(edge, method, handler);
    else throw new TypeError(`${service.typeName}/${method.name}: the public door has no client streams`);
  }
  return methods as ServiceImpl<DescService>;
}

function unary(edge: PublicDoorOptions, method: DescMethod, handler: unknown) {
  return async (request: object, context: HandlerContext): Promise<unknown> => {
    const started = performance.now();
    const call = describe(context);
    let failure: ServiceError | undefined;
    let caller: Caller | undefined;
    try {
      const run = handlerOf(method, handler);
      caller = await authenticate(edge, method, context);
      edge.validate(method.input, request as never);
      return await edge.tracing.span(methodName(method), call.traceparent, async (traceparent) =>
        run(request, { ...call, caller, traceparent }),
      );
    } catch (thrown) {
      failure = toServiceError(thrown);
      throw toConnectError(failure);
    } finally {
      logCall(edge.log, method, call, caller, performance.now() - started, failure);
    }
  };
}

function serverStream(edge: PublicDoorOptions, method: DescMethod, handler: unknown) {
  return async function* (request: object, context: HandlerContext): AsyncGenerator<unknown> {
    const started = performance.now();
    const call = describe(context);
    let failure: ServiceError | undefined;
    let caller: Caller | undefined;
    try {
      const run = handlerOf(method, handler);
      caller = await authenticate(edge, method, context);
      edge.validate(method.input, request as never);
      yield* run(request, { ...call, caller }) as AsyncIterable<unknown>;
    } catch (thrown) {
      failure = toServiceError(thrown);
      throw toConnectError(failure);
    } finally {
      logCall(edge.log, method, call, caller, performance.now() - started, failure);
    }
  };
}

function handlerOf(method: DescMethod, handler: unknown): AnyHandler {
  if (typeof handler === "function") return handler as AnyHandler;
  throw shared.unimplemented(`${methodName(method)} is not implemented`);
}

const methodName = (method: DescMethod) => `${method.parent.typeName}/${method.name}`;

async function authenticate(
  edge: PublicDoorOptions,
  method: DescMethod,
  context: HandlerContext,
): Promise<Caller | undefined> {
  if (hasOption(method, anonymous) && getOption(method, anonymous)) return undefined;
  const token = bearerOf(context.requestHeader.get("authorization"));
  return (await edge.verify(token)).caller;
}

function describe(context: HandlerContext): CallContext {
  const { requestHeader: header, signal } = context;
  return {
    requestId: header.get("x-request-id") ?? crypto.randomUUID(),
    caller: undefined,
    signal,
    traceparent: header.get("traceparent") ?? "",
    // A client writes into the front of x-forwarded-for; only the last entry is the edge's own.
    remoteAddress:
      header.get("x-envoy-external-address") ?? header.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "",
  };
}

function logCall(
  log: Logger,
  method: DescMethod,
  call: CallContext,
  caller: Caller | undefined,
  ms: number,
  failure: ServiceError | undefined,
): void {
  const line = {
    rpc: methodName(method),
    code: failure === undefined ? "ok" : Code[failure.code],
    reason: failure?.reason,
    ms: Math.round(ms * 10) / 10,
    requestId: call.requestId,
    userId: caller?.userId,
    traceparent: call.traceparent || undefined,
  };
  if (failure?.code === Code.Internal) log.error({ ...line, err: failure.cause }, "call");
  else log.info(line, "call");
}
