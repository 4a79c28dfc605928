import type { Writable } from "node:stream";

/** Sockets that are written out before others get their turn: a system call each, about 10 µs. */
const SLICE = 256;

/**
 * Gathers what is written to a socket in one turn of the event loop, so that it leaves in one system call, and lets other work
 * in between when thousands of sockets have something to send.
 */
export class WriteTurns {
  readonly #gathering = new Set<Writable>();
  #scheduled = false;

  write(socket: Writable, bytes: Buffer): void {
    if (!this.#gathering.has(socket)) {
      socket.cork();
      this.#gathering.add(socket);
    }
    socket.write(bytes);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    let left = SLICE;
    for (const socket of this.#gathering) {
      if (left-- === 0) {
        setImmediate(this.#flush);
        return;
      }
      this.#gathering.delete(socket);
      socket.uncork();
    }
    this.#scheduled = false;
  };
}
