import { create, toBinary } from "@bufbuild/protobuf";
import {
  ClientPacketSchema,
  type Error as ErrorPacket,
  type ServerPacket,
} from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { SyncResponse } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { Connection, type ConnectionSink, type ReadBuffer } from "../connection.ts";
import { clientFrame } from "../frames.ts";
import type { PacketReader, PacketSink } from "../incoming.ts";
import type { PlannedClient } from "./plan.ts";

/** What a client tells of what it receives. */
export interface ClientEvents {
  /** A packet has come: what is in it has come now. */
  tick(): void;
  message(number: number, seq: number, conversationTail: number, connection: number): void;
  stranger(id: string, seq: number, connection: number): void;
  accepted(requestId: number, seq: number, connection: number): void;
  failed(error: ErrorPacket, connection: number): void;
  /** A `sync` was refused. */
  syncFailed(client: Client, error: ErrorPacket): void;
  /** `hello` has come; what follows is of the new connection. */
  opened(client: Client): void;
  hinted(client: Client): void;
  synced(client: Client, page: SyncResponse): void;
  closed(client: Client, why: string): void;
}

const HELLO_MS = 15_000;
const SYNC_REQUEST = 1;
const HEARTBEAT = clientFrame(0).frame;

/** A user's device: one socket, opened again when it ended. */
export class Client implements ConnectionSink, PacketSink {
  readonly plan: PlannedClient;
  gatewayId = "";
  /** Where its next sync begins. */
  cursor = "";
  /** What it has before it that it knows to have missed something; undefined: nothing. */
  missingAfter: number | undefined;
  /** Syncs that were refused, one after another. */
  refusals = 0;
  /** When it was connected last. */
  downSince = 0;
  readonly #events: ClientEvents;
  readonly #reader: PacketReader;
  readonly #buffer: ReadBuffer;
  #connection: Connection | undefined;
  #hello: PromiseWithResolvers<void> | undefined;
  #tries = 0;

  constructor(plan: PlannedClient, events: ClientEvents, reader: PacketReader, buffer: ReadBuffer) {
    this.plan = plan;
    this.#events = events;
    this.#reader = reader;
    this.#buffer = buffer;
  }

  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** Comes back at any URL. */
  reopen(): Promise<void> {
    this.#tries = Math.floor(Math.random() * this.plan.urls.length);
    return this.open();
  }

  /** Connects and waits for `hello`. Each try goes to the next URL. */
  async open(): Promise<void> {
    const { urls, token, localAddress, slowBytesPerSecond } = this.plan;
    const url = urls[this.#tries++ % urls.length] ?? "";
    const hello = Promise.withResolvers<void>();
    hello.promise.catch(() => undefined); // whoever opens hears of it, unless the upgrade has failed before
    this.#hello = hello;
    const slow = slowBytesPerSecond === undefined ? {} : { slow: { bytesPerSecond: slowBytesPerSecond } };
    const connection = await Connection.open({ url, token, localAddress, ...slow }, this.#buffer, this);
    const timer = setTimeout(() => hello.reject(new Error(`${url}: no hello in ${HELLO_MS} ms`)), HELLO_MS);
    try {
      await hello.promise;
      this.#connection = connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** False when there is no connection. */
  sendFrame(frame: Buffer): boolean {
    this.#connection?.sendFrame(frame);
    return this.#connection !== undefined;
  }

  /** An empty frame, so that nobody takes the connection for dead. */
  heartbeat(): void {
    this.#connection?.sendFrame(HEARTBEAT);
  }

  sync(): void {
    const command = { case: "sync" as const, value: { cursor: this.cursor, pageSize: 1000 } };
    const packet = create(ClientPacketSchema, { requestId: SYNC_REQUEST, command });
    this.#connection?.send(toBinary(ClientPacketSchema, packet));
  }

  /** From now on it reads as slowly as planned, or as fast as it can. */
  readSlowly(slowly: boolean): void {
    this.#connection?.readSlowly(slowly ? (this.plan.slowBytesPerSecond ?? 0) : 0);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  packet(_connection: Connection, bytes: Buffer, start: number, end: number): void {
    this.#events.tick();
    this.#reader.read(bytes, start, end, this);
  }

  closed(connection: Connection, why: string): void {
    if (this.#connection !== undefined && connection !== this.#connection) return;
    const wasOpen = this.#connection !== undefined;
    this.#connection = undefined;
    if (wasOpen) this.#events.closed(this, why);
    else this.#hello?.reject(new Error(`closed before hello: ${why}`));
  }

  message(number: number, seq: number, conversationTail: number): void {
    this.#events.message(number, seq, conversationTail, this.plan.number);
  }

  stranger(id: string, seq: number): void {
    this.#events.stranger(id, seq, this.plan.number);
  }

  accepted(requestId: number, seq: number): void {
    this.#events.accepted(requestId, seq, this.plan.number);
  }

  other({ event }: ServerPacket): void {
    if (event.case === "hello") {
      this.gatewayId = event.value.gatewayId;
      this.#events.opened(this);
      this.#hello?.resolve();
    } else if (event.case === "error") {
      if (event.value.requestId === SYNC_REQUEST) this.#events.syncFailed(this, event.value);
      else this.#events.failed(event.value, this.plan.number);
    } else if (event.case === "hint") this.#events.hinted(this);
    else if (event.case === "syncPage") this.#events.synced(this, event.value);
  }
}
