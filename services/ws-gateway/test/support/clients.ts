import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  ClientPacketSchema,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";
import { WebSocket } from "ws";
import { frame } from "../../src/core/frames.ts";
import { FrameReader } from "../../src/core/tcp-frames.ts";
import { Arrivals, HOST } from "./mesh.ts";
import { accessToken } from "./tokens.ts";

export const readPacket = (bytes: Uint8Array): ServerPacket => fromBinary(ServerPacketSchema, bytes);
export const packet = (init: MessageInitShape<typeof ServerPacketSchema>): Uint8Array =>
  toBinary(ServerPacketSchema, create(ServerPacketSchema, init));
export const hint = (conversationId: string, headSeq = 1n): Uint8Array =>
  packet({ event: { case: "hint", value: { conversationId, headSeq } } });

export interface Refusal {
  readonly status: number | undefined;
  readonly body: {
    readonly code: number;
    readonly message: string;
    readonly details: { readonly reason?: string; readonly domain?: string }[];
  };
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A WebSocket client that keeps what it gets. */
export class WsClient {
  readonly socket: WebSocket;
  readonly packets = new Arrivals<ServerPacket>();
  readonly heartbeats = new Arrivals<boolean>();
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary) => {
      if (data.length === 0) this.heartbeats.add(isBinary);
      else if (isBinary) this.packets.add(readPacket(data));
      else this.packets.add(fromJsonString(ServerPacketSchema, data.toString()));
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Connects, to a port or a Unix socket, and waits for hello. */
  static async connect(port: number | string, options: ConnectOptions = {}): Promise<WsClient> {
    const client = new WsClient(open(port, options));
    await client.hello();
    return client;
  }

  /** Connects and waits no longer than for the upgrade. */
  static async upgrade(port: number | string, options: ConnectOptions = {}): Promise<WsClient> {
    const client = new WsClient(open(port, options));
    await once(client.socket, "open");
    return client;
  }

  /** Connects and expects to be refused. */
  static refused(port: number | string, options: ConnectOptions = {}): Promise<Refusal> {
    const socket = open(port, options);
    return new Promise((resolve, reject) => {
      socket.on("error", () => undefined);
      socket.on("open", () => reject(new Error("not refused")));
      socket.on("unexpected-response", (_request, response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode: status, headers } = response;
          resolve({ status, headers, body: text === "" ? {} : JSON.parse(text) });
        });
      });
    });
  }

  async hello() {
    const { event } = await this.packets.find(() => true);
    if (event.case !== "hello") throw new Error(`the first packet is ${event.case}`);
    return event.value;
  }

  get connectionId(): string {
    const [first] = this.packets.all;
    return first?.event.case === "hello" ? first.event.value.connectionId : "";
  }

  /** The first event of a kind. */
  async event<C extends ServerPacket["event"]["case"]>(kind: C) {
    const found = await this.packets.find(({ event }) => event.case === kind);
    return found.event as Extract<ServerPacket["event"], { case: C }>;
  }
}

export interface ConnectOptions {
  readonly token?: string | undefined;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
}

function open(port: number | string, options: ConnectOptions): WebSocket {
  const { token = accessToken(), protocols = ["oceanchat.v1"], headers = {}, path = "/ws" } = options;
  const authorization: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
  const url = typeof port === "string" ? `ws+unix:${port}:${path}` : `ws://${HOST}:${port}${path}`;
  return new WebSocket(url, [...protocols], {
    headers: { ...authorization, ...headers },
    perMessageDeflate: false,
  });
}

/** A TCP client that keeps what it gets. */
export class TcpClient {
  readonly socket: Socket;
  readonly frames = new Arrivals<Buffer>();
  readonly packets = new Arrivals<ServerPacket>();
  readonly ended: Promise<void>;

  private constructor(socket: Socket, codec: Codec) {
    this.socket = socket;
    const reader = new FrameReader(1 << 20, (payload) => {
      this.frames.add(payload);
      if (payload.length === 0) return;
      this.packets.add(
        codec === Codec.JSON ? fromJsonString(ServerPacketSchema, payload.toString()) : readPacket(payload),
      );
    });
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("error", () => undefined);
    // Not `once`, which rejects on errors.
    this.ended = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  static async open(port: number, codec: Codec = Codec.BINARY): Promise<TcpClient> {
    const socket = connect(port, HOST);
    await once(socket, "connect");
    return new TcpClient(socket, codec);
  }

  /** Connects, says who it is and waits for hello. */
  static async connect(port: number, codec: Codec = Codec.BINARY, token = accessToken()): Promise<TcpClient> {
    const client = await TcpClient.open(port, codec);
    client.send(connectPacket(token, codec));
    const { event } = await client.packets.find(() => true);
    if (event.case !== "hello") throw new Error(`the first packet is ${event.case}`);
    return client;
  }

  send(payload: Uint8Array): void {
    this.socket.write(frame("length prefix", payload));
  }
}

export const connectPacket = (token: string, codec: Codec = Codec.BINARY): Uint8Array =>
  toBinary(
    ClientPacketSchema,
    create(ClientPacketSchema, { command: { case: "connect", value: { accessToken: token, codec } } }),
  );
