import type { Socket } from "node:net";
import type { Closing } from "./core/closing.ts";
import type { Framing } from "./core/frames.ts";
import type { Wire } from "./ports.ts";
import type { Flushable, WriteTurns } from "./write-turns.ts";

/** How long the other side may take to answer that a connection is closed. */
export const CLOSE_TIMEOUT_MS = 5_000;

const NOTHING = new Uint8Array(0);

/** What the transports have in common: whole frames are written to the socket itself, so that one buffer serves many. */
export abstract class SocketWire implements Wire, Flushable {
  readonly framing: Framing;
  protected readonly socket: Socket;
  readonly #turns: WriteTurns;
  /** Frames that wait for their turn; most often one, which then costs no list. */
  #frames: Buffer | Buffer[] | undefined;
  #frameBytes = 0;

  constructor(framing: Framing, socket: Socket, turns: WriteTurns) {
    this.framing = framing;
    this.socket = socket;
    this.#turns = turns;
  }

  get unsentBytes(): number {
    return this.socket.writableLength + this.#frameBytes;
  }

  get receivedBytes(): number {
    return this.socket.bytesRead;
  }

  write(frame: Buffer): void {
    if (!this.isOpen) return;
    this.#frameBytes += frame.length;
    if (this.#frames === undefined) {
      this.#frames = frame;
      this.#turns.add(this);
    } else if (Array.isArray(this.#frames)) {
      this.#frames.push(frame);
    } else {
      this.#frames = [this.#frames, frame];
    }
  }

  flush(): void {
    const frames = this.#frames;
    this.#frames = undefined;
    this.#frameBytes = 0;
    const { socket } = this;
    if (frames === undefined || !socket.writable) return;
    if (!Array.isArray(frames)) {
      socket.write(frames);
      return;
    }
    socket.cork();
    for (const frame of frames) socket.write(frame);
    socket.uncork();
  }

  onceSent(then: () => void): void {
    this.flush();
    // Not `drain`, which comes only when nothing more has been written meanwhile.
    if (this.socket.writable) this.socket.write(NOTHING, then);
  }

  get isCut(): boolean {
    return this.socket.destroyed;
  }

  cut(): void {
    this.socket.destroy();
  }

  protected abstract get isOpen(): boolean;
  abstract pause(): void;
  abstract resume(): void;
  abstract close(closing: Closing): void;
}
