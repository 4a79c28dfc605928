import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { clientFrame, closeFrame, FrameReader, type FrameSink, pongFrame } from "./frames.ts";

/** Where and as whom to connect. */
export interface Dial {
  readonly url: string;
  readonly token: string;
  /** The address to come from: servers limit what one address may do. */
  readonly localAddress: string;
  /** How many bytes are read at once and per second; absent: as they come. */
  readonly slow?: { readonly bytesPerSecond: number };
}

/** What a connection tells. `bytes` is only good during the call. */
export interface ConnectionSink {
  packet(connection: Connection, bytes: Buffer, start: number, end: number): void;
  /** It ended, by whichever side; once, and not after `close`. */
  closed(connection: Connection, why: string): void;
}

const HANDSHAKE_MS = 20_000;
const MAX_HEAD_BYTES = 8192;
const SLOW_READ_BYTES = 1024;
const READ_BYTES = 256 * 1024;

/** The buffer that all connections of a thread read into: what is read is used up before the next read. */
export class ReadBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(READ_BYTES);
}

/**
 * A WebSocket client that counts rather than stores: one socket, binary codec, and as little work per frame as there can be, since
 * the generator shares the machine with what it measures.
 */
export class Connection implements FrameSink {
  readonly #socket: Socket;
  readonly #sink: ConnectionSink;
  readonly #frames = new FrameReader(this);
  #slowMs = 0;
  #opened: (() => void) | undefined;
  #head: Buffer | undefined = Buffer.alloc(0);
  #why = "";
  #done = false;

  private constructor(dial: Dial, buffer: ReadBuffer, sink: ConnectionSink, done: (error?: Error) => void) {
    const { hostname, port, pathname, host } = new URL(dial.url);
    this.#sink = sink;
    const bytes = dial.slow === undefined ? buffer.bytes : Buffer.allocUnsafeSlow(SLOW_READ_BYTES);
    this.#opened = () => done();
    this.#socket = connect({
      host: hostname,
      port: Number(port || 80),
      localAddress: dial.localAddress,
      noDelay: true,
      onread: { buffer: bytes, callback: (length) => this.#read(bytes, length) },
    });
    this.#socket.setTimeout(HANDSHAKE_MS, () => this.#fail("no answer to the upgrade"));
    this.#socket.on("connect", () => this.#socket.write(upgrade(pathname, host, dial.token)));
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => {
      if (this.#opened !== undefined) done(new Error(`${dial.url}: ${this.#why || "closed before it was open"}`));
      else if (!this.#done) this.#sink.closed(this, this.#why || "closed");
      this.#done = true;
    });
  }

  /** Resolves when the upgrade is through; packets may come before. */
  static open(dial: Dial, buffer: ReadBuffer, sink: ConnectionSink): Promise<Connection> {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    const connection = new Connection(dial, buffer, sink, (error) =>
      error === undefined ? resolve(connection) : reject(error),
    );
    return promise;
  }

  /** Sends a frame as it is. */
  sendFrame(frame: Buffer): void {
    this.#socket.write(frame);
  }

  send(packet: Uint8Array): void {
    const { frame, at } = clientFrame(packet.length);
    frame.set(packet, at);
    this.#socket.write(frame);
  }

  /** From now on it reads so many bytes per second; 0: as they come. */
  readSlowly(bytesPerSecond: number): void {
    this.#slowMs = bytesPerSecond === 0 ? 0 : (SLOW_READ_BYTES * 1000) / bytesPerSecond;
    if (bytesPerSecond === 0) this.#socket.resume();
  }

  /** Ends it without waiting for the other side. */
  close(): void {
    this.#done = true;
    this.#socket.end(closeFrame(1000));
    this.#socket.destroySoon();
  }

  message(bytes: Buffer, start: number, end: number): void {
    if (end > start) this.#sink.packet(this, bytes, start, end);
  }

  closing(code: number, reason: string): void {
    this.#why = `${code} ${reason}`.trim();
    this.#socket.end(closeFrame(code === 1005 ? 1000 : code));
    this.#socket.destroySoon();
  }

  ping(payload: Buffer): void {
    this.#socket.write(pongFrame(payload));
  }

  /** False: read no further for now. */
  #read(bytes: Buffer, length: number): boolean {
    try {
      if (this.#head === undefined) this.#frames.push(bytes, 0, length);
      else this.#readHead(Buffer.concat([this.#head, bytes.subarray(0, length)]));
    } catch (error) {
      this.#fail(String(error));
    }
    if (this.#slowMs === 0) return true;
    setTimeout(() => this.#socket.resume(), this.#slowMs);
    return false;
  }

  #readHead(bytes: Buffer): void {
    const end = bytes.indexOf("\r\n\r\n");
    this.#head = bytes;
    if (end < 0) {
      if (bytes.length > MAX_HEAD_BYTES) this.#fail("the answer to the upgrade is too long");
      return;
    }
    const status = bytes.toString("latin1", 0, bytes.indexOf("\r\n"));
    if (!status.startsWith("HTTP/1.1 101")) {
      this.#fail(status);
      return;
    }
    this.#head = undefined;
    this.#socket.setTimeout(0);
    this.#opened?.();
    this.#opened = undefined;
    this.#frames.push(bytes, end + 4, bytes.length);
  }

  #fail(why: string): void {
    this.#why ||= why;
    this.#socket.destroy();
  }
}

function upgrade(path: string, host: string, token: string): string {
  const fields = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "Sec-WebSocket-Protocol: oceanchat.v1",
    `Authorization: Bearer ${token}`,
  ];
  return `${fields.join("\r\n")}\r\n\r\n`;
}
