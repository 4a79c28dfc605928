import { create, toBinary } from "@bufbuild/protobuf";
import { ClientPacketSchema, type Error as ErrorPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import type { Connection, Receiver } from "./connection.ts";
import { Latencies, type LatencySummary } from "./latency.ts";
import type { Conversation, Ledger } from "./ledger.ts";
import { MessageIds } from "./message-ids.ts";
import { Tally } from "./tally.ts";

/** A conversation with its id. */
export interface NamedConversation extends Conversation {
  readonly id: string;
}

/** How a message was answered. */
export interface Answer {
  readonly conversation: number;
  readonly accepted: boolean;
  /** How long to wait before the next one, in milliseconds. */
  readonly pauseMs: number;
}

/** What was timed, and what the server said besides. */
export interface TrafficSummary {
  readonly ack: LatencySummary;
  readonly delivery: LatencySummary;
  /** How late messages left: the generator's own share of the latencies of an open loop. */
  readonly lag: LatencySummary;
  /** Refusals by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** How often a gateway withheld records from a connection that reads too slowly. */
  readonly hints: number;
}

/** gRPC codes after which a message may be in the log all the same. */
const UNCERTAIN: ReadonlySet<number> = new Set([1, 2, 4, 13]);
const PAUSE_AFTER_ERROR_MS = 100;

/** Sends messages and takes in what comes back, for all connections of a run. */
export class Traffic {
  /** Called with every answer. */
  onAnswer: (answer: Answer) => void = () => undefined;
  readonly #conversations: readonly NamedConversation[];
  readonly #connections: Connection[] = [];
  readonly #ledger: Ledger;
  readonly #ids = new MessageIds();
  readonly #content: { kind: { case: "text"; value: { text: string } } };
  readonly #turns: Uint32Array;
  readonly #ack = new Latencies();
  readonly #delivery = new Latencies();
  readonly #lag = new Latencies();
  readonly #errors = new Tally();
  #intended = new Float64Array(16_384);
  #from = Number.POSITIVE_INFINITY;
  #to = Number.POSITIVE_INFINITY;
  #hints = 0;

  constructor(conversations: readonly NamedConversation[], ledger: Ledger, textBytes: number) {
    this.#conversations = conversations;
    this.#ledger = ledger;
    this.#content = { kind: { case: "text", value: { text: "x".repeat(textBytes) } } };
    this.#turns = new Uint32Array(conversations.length);
  }

  /** Messages meant to leave in this time are timed. */
  measure(from: number, to: number): void {
    this.#from = from;
    this.#to = to;
  }

  /** What a connection, by its number, hands its packets to. */
  receiver(connection: number): Receiver {
    return {
      accepted: (requestId, seq) => this.#accepted(requestId - 1, connection, seq),
      failed: (error) => this.#failed(error, connection),
      record: (id, conversationId, seq) => this.#record(id, conversationId, seq, connection),
      hint: () => {
        this.#hints += 1;
      },
      closed: (why) => this.#ledger.lost(connection, why),
    };
  }

  attach(number: number, connection: Connection): void {
    this.#connections[number] = connection;
  }

  /** Sends the next message of a conversation. False when the account of messages is full. */
  send(conversation: number, intended: number): boolean {
    const { id, writers } = this.#conversation(conversation);
    const turn = this.#turns[conversation] ?? 0;
    this.#turns[conversation] = turn + 1;
    const sender = writers[turn % writers.length] ?? 0;
    const message = this.#ledger.send(conversation, sender);
    if (message === undefined) return false;
    const packet = create(ClientPacketSchema, {
      requestId: message + 1,
      command: {
        case: "sendMessage",
        value: {
          target: { case: "conversationId", value: id },
          clientMessageId: this.#ids.of(message),
          content: this.#content,
        },
      },
    });
    this.#keep(message, intended);
    this.#connections[sender]?.send(toBinary(ClientPacketSchema, packet));
    if (this.#isTimed(intended)) this.#lag.add(performance.now() - intended);
    return true;
  }

  summary(): TrafficSummary {
    return {
      ack: this.#ack.summary(),
      delivery: this.#delivery.summary(),
      lag: this.#lag.summary(),
      errors: this.#errors.counts(),
      hints: this.#hints,
    };
  }

  #accepted(message: number, connection: number, seq: number): void {
    if (!this.#ledger.ack(message, connection, seq)) return;
    this.#time(message, this.#ack);
    this.onAnswer({ conversation: this.#ledger.conversationOf(message), accepted: true, pauseMs: 0 });
  }

  #failed({ requestId, code, reason, retryAfter }: ErrorPacket, connection: number): void {
    const message = requestId - 1;
    this.#errors.add(reason);
    if (!this.#ledger.refuse(message, connection, !UNCERTAIN.has(code))) return;
    const asked = retryAfter === undefined ? 0 : Number(retryAfter.seconds) * 1000 + retryAfter.nanos / 1e6;
    const pauseMs = Math.max(PAUSE_AFTER_ERROR_MS, asked);
    this.onAnswer({ conversation: this.#ledger.conversationOf(message), accepted: false, pauseMs });
  }

  #record(id: string, conversationId: string, seq: number, connection: number): void {
    if (id === "") return; // a change of members: nothing that was sent here
    const message = this.#ids.numberOf(id);
    if (message === undefined) this.#ledger.stranger(`${id} in ${conversationId}, seq ${seq}`);
    else if (this.#ledger.deliver(message, connection, seq)) this.#time(message, this.#delivery);
  }

  #time(message: number, latencies: Latencies): void {
    const intended = this.#intended[message] ?? 0;
    if (this.#isTimed(intended)) latencies.add(performance.now() - intended);
  }

  #isTimed(intended: number): boolean {
    return intended >= this.#from && intended < this.#to;
  }

  #keep(message: number, intended: number): void {
    if (message === this.#intended.length) {
      const more = new Float64Array(message * 2);
      more.set(this.#intended);
      this.#intended = more;
    }
    this.#intended[message] = intended;
  }

  #conversation(number: number): NamedConversation {
    const found = this.#conversations[number];
    if (found === undefined) throw new RangeError(`no conversation ${number}`);
    return found;
  }
}
