import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Code } from "@connectrpc/connect";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type ServiceError, toServiceError } from "@oceanchat/runtime/fail";
import type { TokenVerifier } from "@oceanchat/runtime/token";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import { type AddressLimit, addressOf } from "./core/addresses.ts";
import { type Closing, closings } from "./core/closing.ts";
import { chooseProtocol, readUpgrade, type UpgradeRequest } from "./core/handshake.ts";
import { MAX_FRAME_BYTES } from "./core/packets.ts";
import { errors } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import type { Wire } from "./ports.ts";
import type { Session } from "./session.ts";
import { CLOSE_TIMEOUT_MS, SocketWire } from "./socket-wire.ts";
import type { WriteTurns } from "./write-turns.ts";

export interface WebSocketOptions {
  readonly gateway: Gateway;
  readonly verify: TokenVerifier;
  readonly origins: ReadonlySet<string>;
  readonly addresses: AddressLimit;
  readonly turns: WriteTurns;
  readonly log: Logger;
  readonly handshakeMs: number;
  readonly maxConnections: number;
}

const PATH = "/ws";
/** Upgrades and health checks that may be under way beyond the connections. */
const SPARE_SOCKETS = 1_024;

/** Makes the HTTP server of WebSockets and health; it doesn't listen yet. */
export function createWebSocketServer(options: WebSocketOptions): Server {
  const { gateway, handshakeMs, maxConnections } = options;
  const server = createServer({
    headersTimeout: handshakeMs,
    requestTimeout: handshakeMs,
    connectionsCheckingInterval: Math.min(1_000, handshakeMs),
    maxHeaderSize: 16 * 1024,
    keepAliveTimeout: 5_000,
  });
  server.maxConnections = maxConnections + SPARE_SOCKETS;
  server.on("request", (request, response) => answer(request, response, gateway));
  const accept = createUpgrader(options);
  server.on("upgrade", (request, _socket, head) => void accept(request, request.socket, head));
  return server;
}

function answer({ method, url = "" }: IncomingMessage, response: ServerResponse, gateway: Gateway): void {
  if (url === "/healthz" && (method === "GET" || method === "HEAD")) {
    const status = gateway.isDraining ? 503 : 200;
    response.writeHead(status, { "content-type": "text/plain" }).end(status === 200 ? "serving\n" : "draining\n");
    return;
  }
  const status = url === PATH ? 426 : 404;
  const error = status === 426 ? errors.notWebSocket("only for WebSockets") : errors.notHere();
  response.writeHead(status, { "content-type": "application/json" }).end(bodyOf(error));
}

/** What every door answers in JSON. */
function bodyOf({ code, message, reason, domain, metadata, retryAfterMs }: ServiceError): string {
  const type = "type.googleapis.com/google.rpc.";
  const details: unknown[] = [{ "@type": `${type}ErrorInfo`, reason, domain, metadata }];
  if (retryAfterMs !== undefined) details.push({ "@type": `${type}RetryInfo`, retryDelay: `${retryAfterMs / 1000}s` });
  return `${JSON.stringify({ code, message, details })}\n`;
}

const STATUS: Readonly<Partial<Record<Code, string>>> = {
  [Code.InvalidArgument]: "400 Bad Request",
  [Code.Unauthenticated]: "401 Unauthorized",
  [Code.PermissionDenied]: "403 Forbidden",
  [Code.Unimplemented]: "404 Not Found",
  // Unless it is the client who has too much.
  [Code.ResourceExhausted]: "503 Service Unavailable",
  [Code.Unavailable]: "503 Service Unavailable",
};

const statusOf = ({ code, reason }: ServiceError): string =>
  reason === "ERROR_REASON_TOO_MANY_FROM_ADDRESS"
    ? "429 Too Many Requests"
    : (STATUS[code] ?? "500 Internal Server Error");

function refuse(socket: Socket, error: ServiceError): void {
  const body = bodyOf(error);
  const retryAfter = error.retryAfterMs === undefined ? "" : `Retry-After: ${Math.ceil(error.retryAfterMs / 1000)}\r\n`;
  socket.end(
    `HTTP/1.1 ${statusOf(error)}\r\nConnection: close\r\n${retryAfter}` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

function createUpgrader({ gateway, verify, origins, addresses, turns, log }: WebSocketOptions) {
  const settings = {
    noServer: true,
    clientTracking: false,
    // Its answers to pings would be bounded by nothing.
    autoPong: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    // Nobody needs more; each fragment and chunk costs memory beside its bytes.
    maxFragments: 1_024,
    maxBufferedChunks: 4_096,
    closeTimeout: CLOSE_TIMEOUT_MS,
    handleProtocols: (offered: Set<string>) => chooseProtocol(offered)?.protocol ?? false,
  };
  const upgrades = new WebSocketServer(settings);
  return async (request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> => {
    const onError = (cause: Error) => void log.debug({ err: cause }, "a socket failed before the upgrade");
    socket.on("error", onError);
    try {
      // Counted from here on: one that waits for its token to be checked is a connection too.
      const release = addresses.take(addressOf(request.headers["x-forwarded-for"], socket.remoteAddress));
      if (release === undefined) throw errors.tooManyFromAddress();
      socket.once("close", release);
      const { token, codec } = readRequest(request, origins);
      const { caller } = await verify(token);
      if (socket.destroyed) return;
      const refusal = gateway.refusal();
      if (refusal !== undefined) throw refusal;
      upgrades.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off("error", onError);
        const wire = new WebSocketWire(codec, webSocket, socket, turns);
        join(webSocket, wire, gateway.connect(wire, caller, codec), log);
      });
    } catch (thrown) {
      const error = toServiceError(thrown);
      gateway.counters.refused++;
      log.debug({ err: error }, "an upgrade was refused");
      refuse(socket, error);
    }
  };
}

function readRequest({ url = "", headers, method }: IncomingMessage, origins: ReadonlySet<string>): UpgradeRequest {
  const [path] = url.split("?", 1);
  if (path !== PATH) throw errors.notHere();
  if (method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket") throw errors.notWebSocket("not a WebSocket");
  return readUpgrade(url, headers, origins);
}

class WebSocketWire extends SocketWire {
  readonly #webSocket: WebSocket;

  constructor(codec: Codec, webSocket: WebSocket, socket: Socket, turns: WriteTurns) {
    super(codec === Codec.JSON ? "text message" : "binary message", socket, turns);
    this.#webSocket = webSocket;
  }

  protected override get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  override pause(): void {
    this.#webSocket.pause();
  }

  override resume(): void {
    this.#webSocket.resume();
  }

  override close({ code, reason }: Closing): void {
    this.flush();
    // Else the answer would never be read.
    this.#webSocket.resume();
    this.#webSocket.close(code, reason);
  }
}

function join(webSocket: WebSocket, wire: Wire, session: Session | undefined, log: Logger): void {
  const binary = wire.framing === "binary message";
  webSocket.on("error", (cause) => {
    // `ws` closes by itself, with 1009 or what else is due.
    log.debug({ err: cause, connectionId: session?.id }, "a WebSocket failed");
    session?.gone(1006);
  });
  if (session === undefined) return;
  webSocket.on("close", (code) => session.gone(code));
  webSocket.on("ping", (data) => session.ping(data));
  webSocket.on("pong", (data) => session.pong(data));
  webSocket.on("message", (data, isBinary) => {
    if (!Buffer.isBuffer(data)) throw new TypeError("ws was not set to hand over buffers");
    if (data.length > 0 && isBinary !== binary) session.close(closings.badFrame);
    else session.receive(data);
  });
}
