/** What a stream of WebSocket frames gives. `bytes` is only good during the call. */
export interface FrameSink {
  message(bytes: Buffer, start: number, end: number): void;
  closing(code: number, reason: string): void;
  ping(payload: Buffer): void;
}

const OPCODE = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FIN = 0x80;
const MASKED = 0x80;
/** Servers answer with less than this; a header that says more is garbage. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

/**
 * Takes WebSocket frames of a server apart (RFC 6455): no extensions, no fragments, which ours never sends. Looks into the bytes
 * where they lie; only a frame that is cut in two is copied.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #rest: Buffer | undefined;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes; throws when they are no frames. */
  push(bytes: Buffer, start: number, end: number): void {
    if (this.#rest === undefined) {
      const used = this.#take(bytes, start, end);
      if (used < end) this.#rest = Buffer.from(bytes.subarray(used, end));
      return;
    }
    const joined = Buffer.concat([this.#rest, bytes.subarray(start, end)]);
    const used = this.#take(joined, 0, joined.length);
    this.#rest = used < joined.length ? joined.subarray(used) : undefined;
  }

  /** Gives the first byte that isn't used. */
  #take(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (end - at >= 2) {
      const first = bytes[at] ?? 0;
      const second = bytes[at + 1] ?? 0;
      const short = second & 0x7f;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (end - at < head) break;
      const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : longLength(bytes, at + 2);
      if ((first & FIN) === 0 || (first & 0x70) !== 0 || (second & MASKED) !== 0)
        throw new Error("not a server's frame");
      const next = at + head + length;
      if (next > end) break;
      this.#frame(first & 0x0f, bytes, at + head, next);
      at = next;
    }
    return at;
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === OPCODE.binary || opcode === OPCODE.text) this.#sink.message(bytes, start, end);
    else if (opcode === OPCODE.ping) this.#sink.ping(Buffer.from(bytes.subarray(start, end)));
    else if (opcode === OPCODE.close) {
      const code = end - start >= 2 ? bytes.readUInt16BE(start) : 1005;
      this.#sink.closing(code, bytes.toString("utf8", Math.min(start + 2, end), end));
    } else if (opcode !== OPCODE.pong) throw new Error(`a frame of kind ${opcode}`);
  }
}

function longLength(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  if (length > MAX_FRAME_BYTES) throw new Error(`a frame of ${length} bytes`);
  return length;
}

const MAX_SMALL = 125;
const MAX_MEDIUM = 0xffff;

/** Room for a client's frame around a payload of so many bytes; gives where the payload goes. The mask is zero, so it goes as it is. */
export function clientFrame(length: number, opcode: number = OPCODE.binary): { frame: Buffer; at: number } {
  if (length > MAX_MEDIUM) throw new RangeError(`${length} bytes are too many for a packet`);
  const at = length > MAX_SMALL ? 8 : 6;
  const frame = Buffer.allocUnsafe(at + length);
  frame[0] = FIN | opcode;
  if (length > MAX_SMALL) {
    frame[1] = MASKED | 126;
    frame.writeUInt16BE(length, 2);
  } else frame[1] = MASKED | length;
  frame.writeUInt32BE(0, at - 4);
  return { frame, at };
}

/** The frame that answers a ping. */
export function pongFrame(payload: Buffer): Buffer {
  const { frame, at } = clientFrame(payload.length, OPCODE.pong);
  payload.copy(frame, at);
  return frame;
}

/** The frame that says good-bye. */
export function closeFrame(code: number): Buffer {
  const { frame, at } = clientFrame(2, OPCODE.close);
  frame.writeUInt16BE(code, at);
  return frame;
}
