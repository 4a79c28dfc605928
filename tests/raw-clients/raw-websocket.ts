import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Where to connect, and from which address. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly localAddress?: string;
}

/** The host and port of a URL. */
export function placeOf(url: string): Place {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 80) };
}

const END_OF_HEADERS = "\r\n\r\n";

/** Connects without saying anything yet. Errors only end the socket. */
export async function openSocket(place: Place): Promise<Socket> {
  const socket = connect({ ...place, noDelay: true });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** An upgrade as a client writes it. */
export const upgradeRequest = (token: string, protocol = "oceanchat.v1"): string =>
  [
    "GET /ws HTTP/1.1",
    "Host: edge",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Sec-WebSocket-Protocol: ${protocol}`,
    `Authorization: Bearer ${token}`,
    "\r\n",
  ].join("\r\n");

/** A frame as clients send it: masked, with zeros. `first` is the byte of FIN, RSV bits and opcode. */
export function maskedFrame(first: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError(`${length} bytes are too many for a raw frame`);
  if (length < 126) return Buffer.concat([Buffer.of(first, 0x80 | length, 0, 0, 0, 0), payload]);
  const header = Buffer.of(first, 0x80 | 126, 0, 0, 0, 0, 0, 0);
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}

/** The upgrade was answered with something else than 101. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  /** The HTTP status; 0 when the connection ended without one. */
  readonly status: number;

  constructor(head: string) {
    super(`the upgrade was answered with ${JSON.stringify(head.slice(0, 200))}`);
    this.status = statusOf(head);
  }
}

/** The status of an HTTP answer; 0 when it is none. */
export const statusOf = (head: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);

/** A WebSocket client that writes what none should. It reads only close frames. */
export class RawWebSocket {
  readonly socket: Socket;
  /** The code of the server's close frame; undefined when it ended without one. */
  readonly closeCode: Promise<number | undefined>;

  private constructor(socket: Socket, read: Buffer, heard: (bytes: Buffer) => void) {
    this.socket = socket;
    const finder = new CloseFinder();
    const take = (chunk: Buffer) => {
      heard(chunk);
      finder.push(chunk);
      if (finder.code !== undefined) socket.end();
    };
    take(read);
    socket.on("data", take);
    // Not `once`, which rejects on errors.
    this.closeCode = new Promise((resolve) => socket.once("close", () => resolve(finder.code)));
  }

  /** Connects, and is upgraded; rejects with UpgradeRefused. `heard` gets the bytes of all frames that come. */
  static async open(
    place: Place,
    request: string,
    heard: (bytes: Buffer) => void = () => undefined,
  ): Promise<RawWebSocket> {
    const socket = await openSocket(place);
    return new Promise((resolve, reject) => {
      let read = Buffer.alloc(0);
      const refused = () => reject(new UpgradeRefused(read.toString("latin1")));
      const take = (chunk: Buffer) => {
        read = Buffer.concat([read, chunk]);
        const end = read.indexOf(END_OF_HEADERS);
        if (end < 0) return;
        socket.off("data", take).off("close", refused);
        if (statusOf(read.toString("latin1")) === 101) {
          resolve(new RawWebSocket(socket, read.subarray(end + END_OF_HEADERS.length), heard));
        } else {
          socket.destroy();
          refused();
        }
      };
      socket.on("data", take).once("close", refused);
      socket.write(request);
    });
  }

  write(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }
}

const FIN_CLOSE = 0x88;

/** Walks through a server's frames, which have no mask, to the close frame, however they are cut. */
export class CloseFinder {
  /** The code of the close frame, once it has come. */
  code: number | undefined;
  #rest = Buffer.alloc(0);
  /** Bytes of a payload that are still to come. */
  #skip = 0;

  push(chunk: Buffer): void {
    const skipped = Math.min(this.#skip, chunk.length);
    this.#skip -= skipped;
    let bytes = Buffer.concat([this.#rest, chunk.subarray(skipped)]);
    for (let header = this.#headerOf(bytes); header !== undefined; header = this.#headerOf(bytes)) {
      if (bytes[0] === FIN_CLOSE) {
        if (bytes.length < header.bytes + 2) break;
        this.code ??= bytes.readUInt16BE(header.bytes);
      }
      const end = header.bytes + header.payload;
      this.#skip = Math.max(0, end - bytes.length);
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }

  #headerOf(bytes: Buffer): { readonly bytes: number; readonly payload: number } | undefined {
    const short = (bytes[1] ?? 0) & 0x7f;
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (bytes.length < header) return undefined;
    if (short === 126) return { bytes: header, payload: bytes.readUInt16BE(2) };
    return { bytes: header, payload: short === 127 ? bytes.readUInt32BE(6) : short };
  }
}
