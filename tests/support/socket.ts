import { create, fromBinary, fromJsonString, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  type ClientPacket,
  ClientPacketSchema,
  type Hello,
  type ServerPacket,
  ServerPacketSchema,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { Record as LogRecord } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { WebSocket } from "ws";

/** What a client may send. */
export type Command = Exclude<MessageInitShape<typeof ClientPacketSchema>["command"], undefined>;
/** What a server answers. */
export type Event = ServerPacket["event"];
type EventOf<C extends string> = Extract<Event, { case: C }>;

/** How a socket ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface SocketOptions {
  readonly url: string;
  readonly token: string;
  /** Default binary. */
  readonly json?: boolean;
  /** Offer the token as the last subprotocol, as browsers do, rather than in a header. */
  readonly browser?: boolean;
  /** Called with everything that comes, as it comes; `hello` first. */
  readonly onPacket?: (packet: ServerPacket) => void;
}

/** How long a connection may take to be ready, in milliseconds. */
const HELLO_MS = 20_000;

interface Waiter {
  readonly accepts: (packet: ServerPacket) => boolean;
  readonly resolve: (packet: ServerPacket) => void;
  readonly reject: (error: Error) => void;
}

/** A client's socket: real WebSocket, real packets. Keeps what it gets until the test is over. */
export class TestSocket {
  readonly raw: WebSocket;
  /** Everything received, in order. */
  readonly packets: ServerPacket[] = [];
  /** When each of `packets` came, in milliseconds since the epoch. */
  readonly times: number[] = [];
  readonly closed: Promise<Closed>;
  /** The first packet. */
  readonly hello: Hello;
  readonly #json: boolean;
  readonly #waiters = new Set<Waiter>();
  readonly #onPacket: SocketOptions["onPacket"];
  #requestId = 0;

  private constructor(raw: WebSocket, { json = false, onPacket }: SocketOptions, first: ServerPacket) {
    this.raw = raw;
    this.#json = json;
    this.#onPacket = onPacket;
    this.closed = new Promise((resolve) => {
      raw.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const waiter of this.#waiters) waiter.reject(new Error(`the socket closed with ${code} ${reason}`));
        this.#waiters.clear();
      });
    });
    if (first.event.case !== "hello") throw new Error(`the first packet was ${first.event.case}, not hello`);
    this.hello = first.event.value;
    this.#take(first);
    raw.on("message", (data: Buffer) => {
      if (data.length > 0) this.#take(decode(data, json));
    });
  }

  /** Connects and waits for `hello`. Rejects with the HTTP status when the upgrade is refused. */
  static open(options: SocketOptions): Promise<TestSocket> {
    const json = options.json === true;
    const protocols = [json ? "oceanchat.v1.json" : "oceanchat.v1"];
    if (options.browser === true) protocols.push(`oceanchat.bearer.${options.token}`);
    const headers = options.browser === true ? {} : { authorization: `Bearer ${options.token}` };
    const raw = new WebSocket(options.url, protocols, { headers, perMessageDeflate: false });
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`no hello in ${HELLO_MS} ms`));
        raw.terminate();
      }, HELLO_MS);
      raw.once("message", () => clearTimeout(late));
      raw.once("close", () => clearTimeout(late));
      raw.on("unexpected-response", (_request, response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          reject(new UpgradeRefused(response.statusCode ?? 0, Buffer.concat(chunks).toString()));
        });
      });
      raw.on("error", reject);
      raw.on("close", (code) => reject(new Error(`closed with ${code} before hello`)));
      raw.once("message", (data: Buffer) => {
        try {
          resolve(new TestSocket(raw, options, decode(data, json)));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Sends a command and waits for the packet that answers it. */
  async request(command: Command, timeoutMs = 15_000): Promise<Event> {
    const requestId = ++this.#requestId;
    const answer = this.#next((packet) => packet.requestId === requestId, timeoutMs);
    this.send(command, requestId);
    return (await answer).event;
  }

  /** Sends a command that must be answered with a certain event. */
  async ask<C extends NonNullable<Event["case"]>>(command: Command, expected: C): Promise<EventOf<C>["value"]> {
    const event = await this.request(command);
    if (event.case === expected) return event.value as EventOf<C>["value"];
    const what = event.case === "error" ? `${event.value.reason} ${event.value.message}` : event.case;
    throw new Error(`expected ${expected}, got ${what}`);
  }

  /** Sends a command without waiting. */
  send(command: Command, requestId = 0): void {
    const packet = create(ClientPacketSchema, { requestId, command });
    this.raw.send(encode(packet, this.#json));
  }

  /** The first packet, received already or still to come, that is accepted. */
  until(accepts: (packet: ServerPacket) => boolean, timeoutMs = 15_000): Promise<ServerPacket> {
    const known = this.packets.find(accepts);
    return known === undefined ? this.#next(accepts, timeoutMs) : Promise.resolve(known);
  }

  /** The first packet still to come that is accepted. */
  #next(accepts: (packet: ServerPacket) => boolean, timeoutMs: number): Promise<ServerPacket> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`nothing came in ${timeoutMs} ms`));
      }, timeoutMs);
      const settle = (run: () => void) => {
        clearTimeout(timer);
        run();
      };
      const waiter: Waiter = {
        accepts,
        resolve: (packet) => settle(() => resolve(packet)),
        reject: (error) => settle(() => reject(error)),
      };
      this.#waiters.add(waiter);
    });
  }

  /** The first record that is accepted. */
  async untilRecord(accepts: (record: LogRecord) => boolean, timeoutMs?: number): Promise<LogRecord> {
    await this.until((packet) => recordsOf(packet).some(accepts), timeoutMs);
    const record = this.records().find(accepts);
    if (record === undefined) throw new Error("unreachable");
    return record;
  }

  /** Every record received, in order of arrival. */
  records(): LogRecord[] {
    return this.packets.flatMap(recordsOf);
  }

  async close(): Promise<Closed> {
    this.raw.close(1000);
    return this.closed;
  }

  #take(packet: ServerPacket): void {
    this.packets.push(packet);
    this.times.push(Date.now());
    this.#onPacket?.(packet);
    for (const waiter of this.#waiters) {
      if (!waiter.accepts(packet)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(packet);
    }
  }
}

/** The gateway or the edge said no to the upgrade. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`the upgrade was refused with ${status}: ${body}`);
    this.status = status;
    this.body = body;
  }
}

function recordsOf({ event }: ServerPacket): readonly LogRecord[] {
  return event.case === "records" ? event.value.records : [];
}

function encode(packet: ClientPacket, json: boolean): Uint8Array | string {
  return json ? toJsonString(ClientPacketSchema, packet) : toBinary(ClientPacketSchema, packet);
}

function decode(data: Buffer, json: boolean): ServerPacket {
  return json ? fromJsonString(ServerPacketSchema, data.toString()) : fromBinary(ServerPacketSchema, data);
}
