import { COUNTERS, type Rows } from "./rows.ts";
import { type ViolationSummary, Violations } from "./violations.ts";

/** A conversation under load; members and writers are numbers of connections, and a connection is in one conversation at most. */
export interface Conversation {
  readonly members: readonly number[];
  readonly writers: readonly number[];
  /** Which part of the traffic it belongs to. */
  readonly part: number;
}

/** What became of everything that was sent. */
export interface LedgerSummary {
  readonly sent: number;
  readonly acked: number;
  /** Refused for certain: nobody may get it. */
  readonly refused: number;
  /** Answered with "unknown": it may have been delivered or not. */
  readonly unknown: number;
  readonly unanswered: number;
  readonly deliveries: number;
  /** Deliveries that were fetched, after a reconnect or a hint. */
  readonly resumed: number;
  readonly violations: ViolationSummary;
}

export const UNANSWERED = 0;
export const ACKED = 1;
export const REFUSED = 2;
export const UNKNOWN = 3;

const NONE = -1;

/**
 * Conservation, checked while it is measured: every acked message reaches each other member's connection exactly once, in the order
 * of the conversation's seqs, with the seq that its sender was told, and nothing else arrives. An account of numbers, not of messages:
 * some 40 bytes a message and a bit per delivery. Each thread has one, over the same rows; each connection belongs to one of them.
 */
export class Ledger {
  readonly #conversations: readonly Conversation[];
  readonly #rows: Rows;
  /** By connection: its conversation, its place in it, the seq delivered last, whether it ever had to fetch. */
  readonly #conversationOf: Int32Array;
  readonly #placeOf: Int32Array;
  readonly #lastSeq: Int32Array;
  readonly #fetched: Uint8Array;
  /** Whether it ever repeated a message: both tries may be answered. */
  readonly #repeated: Uint8Array;
  readonly #violations = new Violations();

  constructor(conversations: readonly Conversation[], rows: Rows) {
    this.#conversations = conversations;
    this.#rows = rows;
    const connections =
      conversations.reduce((max, { members }) => members.reduce((a, b) => Math.max(a, b), max), 0) + 1;
    this.#conversationOf = new Int32Array(connections).fill(NONE);
    this.#placeOf = new Int32Array(connections);
    this.#lastSeq = new Int32Array(connections);
    this.#fetched = new Uint8Array(connections);
    this.#repeated = new Uint8Array(connections);
    for (const [conversation, { members }] of conversations.entries()) {
      for (const [place, member] of members.entries()) {
        this.#conversationOf[member] = conversation;
        this.#placeOf[member] = place;
      }
    }
  }

  conversationOf(message: number): number {
    return this.#rows.conversation(message);
  }

  partOf(message: number): number {
    return this.#conversation(this.#rows.conversation(message)).part;
  }

  /** The seq that was delivered last to a connection, 0 before the first. */
  lastSeq(connection: number): number {
    return this.#lastSeq[connection] ?? 0;
  }

  /** Numbers a message that is being sent; undefined when the account is full. */
  send(conversation: number, sender: number, intended = 0): number | undefined {
    return this.#rows.add(conversation, sender, this.#conversation(conversation).members.length, intended);
  }

  isUnanswered(message: number): boolean {
    return this.#rows.state(message) === UNANSWERED;
  }

  /** Takes in an ack. False if it is not one that was waited for. */
  ack(message: number, connection: number, seq: number): boolean {
    if (!this.#answered(message, connection, ACKED)) return false;
    this.#rows.countAck(this.partOf(message));
    this.#agree(message, seq);
    return true;
  }

  /**
   * Takes in an error; `certain` when this try can't have been stored. Where tries were repeated an earlier one may have been, whose
   * answer was lost.
   */
  refuse(message: number, connection: number, certain: boolean): boolean {
    const refused = certain && this.#repeated[connection] !== 1;
    if (!this.#answered(message, connection, refused ? REFUSED : UNKNOWN)) return false;
    this.#rows.countUp(refused ? COUNTERS.refused : COUNTERS.unknown);
    return true;
  }

  /** Takes in a delivery. False if it should not have come, or had been fetched before. */
  deliver(message: number, connection: number, seq: number): boolean {
    const place = this.#placeFor(message, connection, seq);
    if (place === NONE) return false;
    if (connection === this.#rows.sender(message)) return this.#wrongly("echo", message, connection, seq);
    const inOrder = seq > (this.#lastSeq[connection] ?? 0);
    if (!this.#rows.mark(message, place)) {
      const known = inOrder && this.#fetched[connection] === 1;
      if (inOrder) this.#lastSeq[connection] = seq;
      return known ? false : this.#wrongly("duplicate", message, connection, seq);
    }
    this.#rows.countDelivery(this.#conversation(this.#rows.conversation(message)).part);
    this.#agree(message, seq);
    if (inOrder) this.#lastSeq[connection] = seq;
    else this.#wrongly(`out of order, after ${this.#lastSeq[connection]}`, message, connection, seq);
    return true;
  }

  /** A client sends a message once more. */
  repeated(connection: number): void {
    this.#repeated[connection] = 1;
  }

  /** The connection was opened again: the order begins anew, and what it fetches may be pushed as well. */
  reopened(connection: number): void {
    this.#lastSeq[connection] = 0;
    this.#fetched[connection] = 1;
  }

  /** Takes in a record that a client has fetched because it missed it. */
  fetch(message: number, connection: number, seq: number): void {
    this.#fetched[connection] = 1;
    const place = this.#placeFor(message, connection, seq);
    if (place === NONE || connection === this.#rows.sender(message)) return;
    this.#agree(message, seq);
    if (!this.#rows.mark(message, place)) return;
    this.#rows.countDelivery(this.#conversation(this.#rows.conversation(message)).part);
    this.#rows.countUp(COUNTERS.resumed);
  }

  /** Something arrived that this run has not sent. */
  stranger(what: string): void {
    this.#violations.add("stranger", what);
  }

  /** A connection ended that should not have. */
  lost(connection: number, why: string): void {
    this.#violations.add("connection lost", `connection ${connection}: ${why}`);
  }

  violations(): ViolationSummary {
    return this.#violations.summary();
  }

  /** Where the message has to go on this connection; NONE when it has not. */
  #placeFor(message: number, connection: number, seq: number): number {
    if (!(message >= 0 && message < this.#rows.count)) {
      this.#violations.add("stranger", `an unknown message, seq ${seq}, to connection ${connection}`);
      return NONE;
    }
    if (this.#conversationOf[connection] !== this.#rows.conversation(message)) {
      this.#wrongly("stranger", message, connection, seq);
      return NONE;
    }
    return this.#placeOf[connection] ?? NONE;
  }

  #answered(message: number, connection: number, state: number): boolean {
    const known = message >= 0 && message < this.#rows.count;
    if (!known || this.#rows.sender(message) !== connection || this.#rows.state(message) !== UNANSWERED) {
      if (known && this.#repeated[connection] === 1 && this.#rows.sender(message) === connection) return false;
      this.#violations.add("stray answer", `for message ${message}, to connection ${connection}`);
      return false;
    }
    this.#rows.setState(message, state);
    return true;
  }

  /** The sender and every receiver must be told the same seq. */
  #agree(message: number, seq: number): void {
    const known = this.#rows.agreeSeq(message, seq);
    if (known !== seq) this.#violations.add("seqs differ", `message ${message}: ${known} and ${seq}`);
  }

  #wrongly(kind: string, message: number, connection: number, seq: number): false {
    const conversation = this.#rows.conversation(message);
    this.#violations.add(
      kind.replace(/,.*/, ""),
      `message ${message}, seq ${seq} of conversation ${conversation}, to connection ${connection}${/,.*/.exec(kind)?.[0] ?? ""}`,
    );
    return false;
  }

  #conversation(number: number): Conversation {
    const found = this.#conversations[number];
    if (found === undefined) throw new RangeError(`no conversation ${number}`);
    return found;
  }
}
