import { readFile } from "node:fs/promises";
import { connect, type TLSSocket } from "node:tls";
import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  type ClientPacket,
  ClientPacketSchema,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { Codec } from "@oceanchat/gen/oceanchat/records/v1/codec_pb";

/** A client on TCP with TLS, through the edge. Keeps what it gets until the test is over. */
export class TcpSocket {
  /** Everything received, in order. */
  readonly packets: ServerPacket[] = [];
  readonly #raw: TLSSocket;
  readonly #codec: Codec;
  readonly #waiting = new Set<() => void>();
  #unread = Buffer.alloc(0);
  #requestId = 0;

  private constructor(raw: TLSSocket, codec: Codec) {
    this.#raw = raw;
    this.#codec = codec;
    raw.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  /** Connects, says who it is and waits for `hello`. */
  static async open(
    at: { readonly tcp: string; readonly certificate: string },
    token: string,
    codec: Codec = Codec.BINARY,
  ): Promise<TcpSocket> {
    const [host = "", port] = at.tcp.split(":");
    const ca = await readFile(at.certificate);
    const raw = await new Promise<TLSSocket>((resolve, reject) => {
      const options = { host, port: Number(port), ca, servername: "localhost", ALPNProtocols: ["oceanchat.tcp.v1"] };
      const socket = connect(options, () => resolve(socket));
      socket.on("error", reject);
    });
    const client = new TcpSocket(raw, codec);
    const first = create(ClientPacketSchema, { command: { case: "connect", value: { accessToken: token, codec } } });
    client.#write(toBinary(ClientPacketSchema, first));
    await client.until(({ event }) => event.case === "hello");
    return client;
  }

  /** Sends a command and waits for the event that answers it. */
  async request(command: ClientPacket["command"]): Promise<ServerPacket["event"]> {
    const requestId = ++this.#requestId;
    const packet = create(ClientPacketSchema, { requestId, command });
    const json = () => Buffer.from(toJsonString(ClientPacketSchema, packet));
    this.#write(this.#codec === Codec.JSON ? json() : toBinary(ClientPacketSchema, packet));
    return (await this.until((answer) => answer.requestId === requestId)).event;
  }

  /** The first packet, received already or still to come, that is accepted. */
  until(accepts: (packet: ServerPacket) => boolean, timeoutMs = 15_000): Promise<ServerPacket> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`nothing came in ${timeoutMs} ms`));
      }, timeoutMs);
      const look = () => {
        const found = this.packets.find(accepts);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#raw.once("close", resolve));
    this.#raw.end();
    await closed;
  }

  #write(payload: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(payload.length);
    this.#raw.write(Buffer.concat([length, payload]));
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    while (this.#unread.length >= 4) {
      const end = 4 + this.#unread.readUInt32BE();
      if (this.#unread.length < end) break;
      const payload = this.#unread.subarray(4, end);
      this.#unread = this.#unread.subarray(end);
      if (payload.length === 0) continue;
      const json = this.#codec === Codec.JSON;
      this.packets.push(
        json ? fromJsonString(ServerPacketSchema, payload.toString()) : fromBinary(ServerPacketSchema, payload),
      );
    }
    for (const look of this.#waiting) look();
  }
}
