/** How a transport marks where a packet begins and ends. */
export type Framing = "binary message" | "text message" | "length prefix";

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;
const FIN_PONG = 0x8a;

/** The bytes of a payload on the wire. A server's WebSocket frames are not masked, so they are the same for every client. */
export function frame(framing: Framing, payload: Uint8Array): Buffer {
  const { length } = payload;
  const header = headerLength(framing, length);
  const bytes = Buffer.allocUnsafe(header + length);
  if (framing === "length prefix") bytes.writeUInt32BE(length, 0);
  else writeWebSocketHeader(bytes, framing === "text message" ? FIN_TEXT : FIN_BINARY, length);
  bytes.set(payload, header);
  return bytes;
}

function headerLength(framing: Framing, length: number): number {
  if (framing === "length prefix") return 4;
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

function writeWebSocketHeader(bytes: Buffer, first: number, length: number): void {
  bytes[0] = first;
  if (length < 126) {
    bytes[1] = length;
  } else if (length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
}

/** The answer to a WebSocket's ping, which has at most 125 bytes. */
export function pongFrame(data: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(2 + data.length);
  bytes[0] = FIN_PONG;
  bytes[1] = data.length;
  bytes.set(data, 2);
  return bytes;
}

/** A payload for many connections: framed once per kind of transport. */
export class Outgoing {
  readonly #payload: Uint8Array;
  readonly #frames = new Map<Framing, Buffer>();

  constructor(payload: Uint8Array) {
    this.#payload = payload;
  }

  frame(framing: Framing): Buffer {
    let bytes = this.#frames.get(framing);
    if (bytes === undefined) {
      bytes = frame(framing, this.#payload);
      this.#frames.set(framing, bytes);
    }
    return bytes;
  }
}

/** The answer to a heartbeat. */
export const emptyFrame: Readonly<Record<Framing, Buffer>> = {
  "binary message": frame("binary message", new Uint8Array(0)),
  "text message": frame("text message", new Uint8Array(0)),
  "length prefix": frame("length prefix", new Uint8Array(0)),
};
