import type { Msg } from "@nats-io/transport-node";
import type { Link } from "./bus-link.ts";
import { headerOf } from "./bus-read.ts";
import type { Delivered } from "./bus-types.ts";

const encoder = new TextEncoder();
const ACK = encoder.encode("+ACK");
const NAK = encoder.encode("-NAK");
const WORKING = encoder.encode("+WPI");

/** A message that the server has given to this process and waits to hear about. */
export class Delivery implements Delivered {
  readonly sequence: number;
  readonly deliveries: number;
  /** When the server stored it: with the sequence it tells messages apart, also of a stream that was made again. */
  readonly nanos: number;
  attempts = 0;
  /** Why it can't even be given a lane. */
  undeliverable: string | undefined;
  /** When the server last heard of it, in milliseconds of the monotonic clock. */
  heardAt: number;
  readonly #message: Msg;
  readonly #reply: string;

  constructor(message: Msg, now: number) {
    const reply = message.reply ?? "";
    const info = parseReply(reply);
    this.#message = message;
    this.#reply = reply;
    this.sequence = info.sequence;
    this.deliveries = info.deliveries;
    this.nanos = info.nanos;
    this.heardAt = now;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get time(): Date {
    return new Date(this.nanos / 1_000_000);
  }

  get messageId(): string | undefined {
    return this.header("Nats-Msg-Id");
  }

  get traceparent(): string {
    return this.header("traceparent") ?? "";
  }

  header(name: string): string | undefined {
    return headerOf(this.#message.headers, name);
  }

  ack(link: Link): void {
    this.#answer(link, ACK);
  }

  /** Gives it back: the server delivers it again at once. */
  nak(link: Link): void {
    this.#answer(link, NAK);
  }

  /** Starts the server's `ack_wait` anew. */
  working(link: Link, now: number): void {
    this.heardAt = now;
    this.#answer(link, WORKING);
  }

  /** An answer that is lost costs a redelivery, so it is not worth an error. */
  #answer(link: Link, answer: Uint8Array): void {
    if (!link.connected()) return;
    try {
      link.nc.publish(this.#reply, answer);
    } catch (error) {
      link.log.debug({ err: error, sequence: this.sequence }, "bus: an acknowledgement was not sent");
    }
  }
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<nanoseconds>.<pending>`, or with a
 * domain and an account hash after `ACK` and a random token at the end.
 */
export function parseReply(reply: string): {
  deliveries: number;
  sequence: number;
  consumerSequence: number;
  nanos: number;
} {
  const parts = reply.split(".");
  const first = parts.length === 9 ? 4 : 6;
  const [deliveries, sequence, consumerSequence, nanos] = parts.slice(first, first + 4).map(Number);
  if (
    parts[1] !== "ACK" ||
    deliveries === undefined ||
    sequence === undefined ||
    consumerSequence === undefined ||
    nanos === undefined ||
    !(sequence > 0)
  ) {
    throw new TypeError(`not a message of a consumer: ${reply}`);
  }
  return { deliveries, sequence, consumerSequence, nanos };
}
