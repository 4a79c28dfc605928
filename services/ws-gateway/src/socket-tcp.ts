import { createServer, type Server, type Socket } from "node:net";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { type ServiceError, toServiceError } from "@oceanchat/runtime/fail";
import type { TokenVerifier } from "@oceanchat/runtime/token";
import type { Logger } from "pino";
import type { AddressLimit } from "./core/addresses.ts";
import { type Closing, closings } from "./core/closing.ts";
import { frame } from "./core/frames.ts";
import { errorPacket, lastPacket, MAX_FRAME_BYTES, readConnect } from "./core/packets.ts";
import { NoProxyHeader, ProxyHeaderReader } from "./core/proxy-header.ts";
import { FrameReader, FrameTooLarge } from "./core/tcp-frames.ts";
import { errors } from "./errors.ts";
import type { Gateway } from "./gateway.ts";
import type { Session } from "./session.ts";
import { CLOSE_TIMEOUT_MS, SocketWire } from "./socket-wire.ts";
import type { WriteTurns } from "./write-turns.ts";

export interface TcpOptions {
  readonly gateway: Gateway;
  readonly verify: TokenVerifier;
  readonly addresses: AddressLimit;
  /** Whether a proxy in front writes first who connects. */
  readonly proxied: boolean;
  readonly turns: WriteTurns;
  readonly log: Logger;
  readonly handshakeMs: number;
  readonly maxConnections: number;
}

/** Connections that have not yet said who they are, beyond the others. */
const SPARE_SOCKETS = 1_024;
/** The first frame holds a token of at most 4096 bytes. */
const MAX_CONNECT_BYTES = 8 * 1024;
/** Frames that a client may send without waiting for hello; the rest stays in the network. */
const MAX_EARLY_FRAMES = 1_024;

/** Makes the server of plain TCP connections; it doesn't listen yet. */
export function createTcpServer(options: TcpOptions): Server {
  const server = createServer({ noDelay: true }, (socket) => {
    new TcpConnection(socket, options);
  });
  server.maxConnections = options.maxConnections + SPARE_SOCKETS;
  return server;
}

/** A TCP connection: first its handshake, then the frames of a session. */
class TcpConnection {
  readonly #socket: Socket;
  readonly #options: TcpOptions;
  readonly #reader: FrameReader;
  readonly #tooSlow: NodeJS.Timeout;
  /** Reads what a proxy says first; undefined when that is done. */
  #proxyHeader: ProxyHeaderReader | undefined;
  #state: "waiting" | "verifying" | "connected" | "ended" = "waiting";
  #session: Session | undefined;
  #early: Buffer[] = [];

  constructor(socket: Socket, options: TcpOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new FrameReader(MAX_CONNECT_BYTES, (payload) => this.#frame(payload));
    this.#tooSlow = setTimeout(() => this.#refuse(errors.handshakeTooSlow()), options.handshakeMs);
    socket.on("error", (cause) =>
      options.log.debug({ err: cause, connectionId: this.#session?.id }, "a socket failed"),
    );
    socket.on("data", (chunk) => this.#data(chunk));
    socket.on("close", () => this.#closed());
    if (options.proxied) this.#proxyHeader = new ProxyHeaderReader();
    else this.#comesFrom(socket.remoteAddress ?? "");
  }

  #data(chunk: Buffer): void {
    if (this.#state === "ended") return;
    try {
      const own = this.#proxyHeader === undefined ? chunk : this.#ownBytes(this.#proxyHeader, chunk);
      if (own !== undefined && !this.#isEnded()) this.#reader.push(own);
    } catch (thrown) {
      if (thrown instanceof NoProxyHeader) this.#refuse(errors.noProxyHeader(thrown));
      else if (!(thrown instanceof FrameTooLarge)) throw thrown;
      else if (this.#session === undefined) this.#refuse(errors.frameTooLarge(thrown));
      else this.#session.close(closings.tooLarge);
      this.#state = "ended";
    }
  }

  /** What the client itself has sent, once the proxy's header is read. */
  #ownBytes(header: ProxyHeaderReader, chunk: Buffer): Buffer | undefined {
    const proxied = header.push(chunk);
    if (proxied === undefined) return undefined;
    this.#proxyHeader = undefined;
    this.#comesFrom(proxied.address);
    return proxied.rest;
  }

  #comesFrom(address: string): void {
    const release = this.#options.addresses.take(address);
    if (release === undefined) this.#refuse(errors.tooManyFromAddress());
    else this.#socket.once("close", release);
  }

  #frame(payload: Buffer): void {
    if (this.#state === "connected") this.#session?.receive(payload);
    else if (this.#state === "waiting") void this.#handshake(payload);
    else if (this.#state === "verifying") this.#keep(payload);
  }

  /** Holds what comes while the token is checked: at most what was read together with it. */
  #keep(payload: Buffer): void {
    this.#early.push(payload);
    if (this.#early.length > MAX_EARLY_FRAMES) this.#refuse(errors.tooManyEarly());
  }

  /** Never rejects. */
  async #handshake(payload: Buffer): Promise<void> {
    const { gateway, verify } = this.#options;
    this.#state = "verifying";
    this.#reader.maxBytes = MAX_FRAME_BYTES;
    this.#socket.pause();
    let codec: Codec = Codec.BINARY;
    try {
      const connect = readConnect(payload);
      codec = connect.codec === Codec.JSON ? Codec.JSON : Codec.BINARY;
      const { caller } = await verify(connect.accessToken);
      if (this.#socket.destroyed || this.#isEnded()) return;
      const refusal = gateway.refusal();
      if (refusal !== undefined) throw refusal;
      clearTimeout(this.#tooSlow);
      this.#connected(gateway.connect(new TcpWire(codec, this.#socket, this.#options.turns), caller, codec));
    } catch (thrown) {
      this.#refuse(toServiceError(thrown), codec);
    }
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }

  #connected(session: Session | undefined): void {
    this.#session = session;
    this.#state = session === undefined ? "ended" : "connected";
    this.#socket.resume();
    const early = this.#early;
    this.#early = [];
    for (const payload of early) session?.receive(payload);
  }

  #refuse(error: ServiceError, codec: Codec = Codec.BINARY): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#early = [];
    clearTimeout(this.#tooSlow);
    this.#options.gateway.counters.refused++;
    this.#options.log.debug({ err: error }, "a TCP connection was refused");
    end(this.#socket, frame("length prefix", errorPacket(codec, error)));
  }

  #closed(): void {
    clearTimeout(this.#tooSlow);
    this.#state = "ended";
    this.#session?.gone(1006);
  }
}

/** Sends the last frame and the end of the stream; what comes until the other side ends too is not looked at. */
function end(socket: Socket, last: Buffer): void {
  socket.resume();
  socket.end(last);
  const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
  socket.once("close", () => clearTimeout(timer));
}

class TcpWire extends SocketWire {
  readonly #codec: Codec;

  constructor(codec: Codec, socket: Socket, turns: WriteTurns) {
    super("length prefix", socket, turns);
    this.#codec = codec;
  }

  protected override get isOpen(): boolean {
    return this.socket.writable;
  }

  override pause(): void {
    this.socket.pause();
  }

  override resume(): void {
    this.socket.resume();
  }

  override close(closing: Closing): void {
    this.flush();
    end(this.socket, frame("length prefix", lastPacket(this.#codec, closing)));
  }
}
