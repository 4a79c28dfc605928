import type { Error as ErrorPacket } from "@oceanchat/gen/oceanchat/gateway/v1/packet_pb";
import { idTail } from "../incoming.ts";
import { Latencies } from "../latency.ts";
import type { Ledger } from "../ledger.ts";
import type { MessageIds } from "../message-ids.ts";
import { messageOf, SendTemplate } from "../outgoing.ts";
import type { Rows } from "../rows.ts";
import { Tally } from "../tally.ts";
import type { Client } from "./client.ts";
import { Phases } from "./phases.ts";
import type { ShardPlan, ShardTimes } from "./plan.ts";

/** gRPC codes after which a message may be in the log all the same. */
const UNCERTAIN: ReadonlySet<number> = new Set([1, 2, 4, 13]);
const PAUSE_AFTER_ERROR_MS = 100;
/** Own messages that a client keeps in mind to repeat them; those that are answered are forgotten first. */
const MAX_KEPT = 2_000;
/** How long a client waits before it repeats what was answered for no message in particular. */
const REPEAT_MS = 1_000;

/** Called with every answer: the next message of the conversation may go after a pause. */
export type OnAnswer = (conversation: number, pauseMs: number) => void;

/** Sends messages and takes in what comes back, for all clients of a thread. */
export class Traffic {
  onAnswer: OnAnswer = () => undefined;
  readonly lag = new Latencies();
  readonly baseline = new Latencies();
  readonly errors = new Tally();
  readonly parts: readonly { readonly ack: Latencies; readonly delivery: Latencies }[];
  /** The same, by phases of the measured time. */
  readonly phases: Phases;
  readonly #plan: ShardPlan;
  readonly #clock: () => number;
  readonly #rows: Rows;
  readonly #ledger: Ledger;
  readonly #clients: ReadonlyMap<number, Client>;
  readonly #templates: readonly SendTemplate[];
  readonly #tails: Float64Array;
  readonly #turns: Uint32Array;
  readonly #slow: ReadonlySet<number>;
  readonly #kept = new Map<number, number[]>();
  readonly #repeating = new Set<number>();
  /** Messages that were sent once more because nothing had answered them. */
  repeats = 0;
  #times: ShardTimes | undefined;
  #now = 0;

  constructor(plan: ShardPlan, rows: Rows, ledger: Ledger, clients: ReadonlyMap<number, Client>, tools: Tools) {
    this.#plan = plan;
    this.#clock = tools.clock;
    this.#rows = rows;
    this.#ledger = ledger;
    this.#clients = clients;
    this.#templates = plan.conversations.map(
      ({ id, part }) => new SendTemplate(id, plan.parts[part]?.textBytes ?? 1, tools.ids),
    );
    this.#tails = Float64Array.from(plan.conversations, ({ id }) => idTail(Buffer.from(id, "latin1"), id.length));
    this.#turns = new Uint32Array(plan.conversations.length);
    this.parts = plan.parts.map(() => ({ ack: new Latencies(), delivery: new Latencies() }));
    this.phases = new Phases(plan.phases);
    const slow = plan.clients.filter(({ slowBytesPerSecond }) => slowBytesPerSecond !== undefined);
    this.#slow = new Set(slow.map(({ number }) => number));
  }

  /** Messages meant to leave in this time are timed. */
  measure(times: ShardTimes): void {
    this.#times = times;
  }

  /** Something has come: its time is now. */
  tick(): void {
    this.#now = this.#clock();
  }

  /** Sends the next message of a conversation. False when the account of messages is full. */
  send(conversation: number, intended: number): boolean {
    const writers = this.#plan.conversations[conversation]?.writers ?? [];
    const turn = this.#turns[conversation] ?? 0;
    this.#turns[conversation] = turn + 1;
    const sender = writers[turn % writers.length] ?? 0;
    const message = this.#ledger.send(conversation, sender, intended);
    if (message === undefined) return false;
    this.#keep(sender, message);
    const frame = this.#templates[conversation]?.frame(message);
    if (frame !== undefined) this.#clients.get(sender)?.sendFrame(frame);
    if (this.#isTimed(intended)) this.lag.add(this.#clock() - intended);
    return true;
  }

  /** Sends again what a client has not got an answer to. */
  repeat(client: Client): void {
    const { number } = client.plan;
    for (const message of this.#kept.get(number) ?? []) {
      if (!this.#ledger.isUnanswered(message)) continue;
      this.#ledger.repeated(number);
      this.repeats += 1;
      const frame = this.#templates[this.#ledger.conversationOf(message)]?.frame(message);
      if (frame !== undefined) client.sendFrame(frame);
    }
  }

  accepted(requestId: number, seq: number, connection: number): void {
    const message = messageOf(requestId);
    if (!this.#ledger.ack(message, connection, seq)) return;
    const intended = this.#rows.intended(message);
    if (this.#isTimed(intended)) this.parts[this.#ledger.partOf(message)]?.ack.add(this.#now - intended);
    this.phases.of(intended)?.ack.add(this.#now - intended);
    this.onAnswer(this.#ledger.conversationOf(message), 0);
  }

  failed({ requestId, code, reason, retryAfter }: ErrorPacket, connection: number): void {
    this.errors.add(reason);
    if (requestId === 0) this.#repeatLater(connection);
    const message = messageOf(requestId);
    if (message < 0) return;
    if (!this.#ledger.refuse(message, connection, !UNCERTAIN.has(code))) return;
    const asked = retryAfter === undefined ? 0 : Number(retryAfter.seconds) * 1000 + retryAfter.nanos / 1e6;
    this.onAnswer(this.#ledger.conversationOf(message), Math.max(PAUSE_AFTER_ERROR_MS, asked));
  }

  message(number: number, seq: number, conversationTail: number, connection: number): void {
    if (!this.#ledger.deliver(number, connection, seq)) return;
    const conversation = this.#ledger.conversationOf(number);
    if (this.#tails[conversation] !== conversationTail) {
      this.#ledger.stranger(`message ${number} of conversation ${conversation} under another conversation's id`);
    }
    const intended = this.#rows.intended(number);
    if (this.#times === undefined || this.#slow.has(connection)) return;
    this.phases.of(intended)?.delivery.add(this.#now - intended);
    if (this.#isTimed(intended)) this.parts[this.#ledger.partOf(number)]?.delivery.add(this.#now - intended);
    else if (intended >= this.#times.baseline && intended < this.#times.from) this.baseline.add(this.#now - intended);
  }

  stranger(id: string, seq: number, connection: number): void {
    this.#ledger.stranger(`${id}, seq ${seq}, to connection ${connection}`);
  }

  /** The gateway doesn't read packets: its errors don't say which one they are about, so all that wait are repeated. */
  #repeatLater(connection: number): void {
    const client = this.#clients.get(connection);
    if (client === undefined || this.#repeating.has(connection)) return;
    this.#repeating.add(connection);
    setTimeout(
      () => {
        this.#repeating.delete(connection);
        this.repeat(client);
      },
      REPEAT_MS * (0.5 + Math.random()),
    ).unref();
  }

  #isTimed(intended: number): boolean {
    return this.#times !== undefined && intended >= this.#times.from && intended < this.#times.to;
  }

  #keep(sender: number, message: number): void {
    const kept = this.#kept.get(sender) ?? [];
    if (kept.length >= MAX_KEPT) {
      const open = kept.filter((one) => this.#ledger.isUnanswered(one)).slice(-MAX_KEPT / 2);
      this.#kept.set(sender, [...open, message]);
      return;
    }
    kept.push(message);
    this.#kept.set(sender, kept);
  }
}

export interface Tools {
  readonly clock: () => number;
  readonly ids: MessageIds;
}
