import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { HOST } from "./mesh.ts";
import { accessToken } from "./tokens.ts";

const END_OF_HEADERS = "\r\n\r\n";

/** An upgrade as a client writes it. */
export const upgradeRequest = (protocol = "oceanchat.v1", token = accessToken()): string =>
  [
    "GET /ws HTTP/1.1",
    "Host: x",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Sec-WebSocket-Protocol: ${protocol}`,
    `Authorization: Bearer ${token}`,
    END_OF_HEADERS.slice(2),
  ].join("\r\n");

/** A frame as clients send it: masked, with zeros. `first` is the byte of FIN, RSV bits and opcode. */
export function maskedFrame(first: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.of(first, 0x80 | length, 0, 0, 0, 0), payload]);
  const header = Buffer.of(first, 0x80 | 126, 0, 0, 0, 0, 0, 0);
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, HOST);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** A WebSocket client that writes what none should. It reads only close frames. */
export class RawWebSocket {
  readonly socket: Socket;
  /** The code of the server's close frame; undefined when it ended without one. */
  readonly closeCode: Promise<number | undefined>;

  private constructor(socket: Socket) {
    this.socket = socket;
    const read: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      read.push(chunk);
      if (closeCodeOf(chunk) !== undefined) socket.end();
    });
    this.closeCode = once(socket, "close").then(() => closeCodeOf(Buffer.concat(read)));
  }

  /** Connects, and is upgraded. */
  static async open(port: number, request = upgradeRequest()): Promise<RawWebSocket> {
    const socket = await openSocket(port);
    socket.write(request);
    await once(socket, "readable");
    const head: Buffer = socket.read();
    const end = head.indexOf(END_OF_HEADERS);
    if (!head.subarray(0, 12).equals(Buffer.from("HTTP/1.1 101")) || end < 0) throw new Error(head.toString("latin1"));
    socket.unshift(head.subarray(end + END_OF_HEADERS.length));
    return new RawWebSocket(socket);
  }

  write(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }
}

/** Walks through the server's frames, which have no mask, to the close frame. */
function closeCodeOf(bytes: Buffer): number | undefined {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const short = bytes.readUInt8(at + 1) & 0x7f;
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? bytes.readUInt32BE(at + 6) : short;
    if (bytes[at] === 0x88) return bytes.readUInt16BE(at + header);
    at += header + length;
  }
  return undefined;
}
