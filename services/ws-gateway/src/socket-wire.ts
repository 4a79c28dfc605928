import type { Socket } from "node:net";
import type { Closing } from "./core/closing.ts";
import type { Framing } from "./core/frames.ts";
import type { Wire } from "./ports.ts";
import type { WriteTurns } from "./write-turns.ts";

/** How long the other side may take to answer that a connection is closed. */
export const CLOSE_TIMEOUT_MS = 5_000;

/** What the transports have in common: whole frames are written to the socket itself, so that one buffer serves many. */
export abstract class SocketWire implements Wire {
  readonly framing: Framing;
  protected readonly socket: Socket;
  readonly #turns: WriteTurns;

  constructor(framing: Framing, socket: Socket, turns: WriteTurns) {
    this.framing = framing;
    this.socket = socket;
    this.#turns = turns;
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  get receivedBytes(): number {
    return this.socket.bytesRead;
  }

  write(frame: Buffer): void {
    if (this.isOpen) this.#turns.write(this.socket, frame);
  }

  onceSent(then: () => void): void {
    this.socket.once("drain", then);
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
