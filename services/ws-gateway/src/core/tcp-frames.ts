/** A frame is longer than it may be; nothing after it can be read. */
export class FrameTooLarge extends Error {
  override readonly name = "FrameTooLarge";
}

const PREFIX = 4;
/** A half-read frame's buffer begins with this size and doubles: a length alone makes nobody allocate 64 KiB. */
const FIRST_BUFFER = 1024;

/** Cuts a TCP stream into frames: 4 bytes of length, big-endian, then so many bytes. */
export class FrameReader {
  readonly #onFrame: (payload: Buffer) => void;
  /** The longest frame, in bytes; may be changed between frames. */
  maxBytes: number;
  #prefix = 0;
  #prefixBytes = 0;
  /** The frame that is being read, when it doesn't lie in one chunk. */
  #partial: Buffer | undefined;
  #filled = 0;

  constructor(maxBytes: number, onFrame: (payload: Buffer) => void) {
    this.maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** Takes what has arrived; throws FrameTooLarge. */
  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#prefixBytes < PREFIX) {
        this.#prefix = this.#prefix * 256 + (chunk[offset++] ?? 0);
        this.#prefixBytes++;
        if (this.#prefixBytes < PREFIX) continue;
        if (this.#prefix > this.maxBytes) throw new FrameTooLarge(`a frame of ${this.#prefix} bytes`);
        if (this.#prefix === 0) this.#emit(chunk.subarray(offset, offset));
        continue;
      }
      offset = this.#body(chunk, offset);
    }
  }

  #body(chunk: Buffer, offset: number): number {
    const end = offset + this.#prefix - this.#filled;
    if (this.#partial === undefined && end <= chunk.length) {
      this.#emit(chunk.subarray(offset, end));
      return end;
    }
    const piece = chunk.subarray(offset, end);
    this.#append(piece);
    if (this.#filled === this.#prefix && this.#partial !== undefined) this.#emit(this.#partial);
    return offset + piece.length;
  }

  #append(piece: Buffer): void {
    const needed = this.#filled + piece.length;
    const size = this.#partial?.length ?? 0;
    if (needed > size) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#prefix, Math.max(needed, size * 2, FIRST_BUFFER)));
      this.#partial?.copy(grown, 0, 0, this.#filled);
      this.#partial = grown;
    }
    if (this.#partial !== undefined) piece.copy(this.#partial, this.#filled);
    this.#filled = needed;
  }

  #emit(payload: Buffer): void {
    this.#prefix = 0;
    this.#prefixBytes = 0;
    this.#partial = undefined;
    this.#filled = 0;
    this.#onFrame(payload);
  }
}
