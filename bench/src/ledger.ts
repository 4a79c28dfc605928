import { Rows } from "./rows.ts";
import { MAX_MESSAGES } from "./scenario.ts";
import { type ViolationSummary, Violations } from "./violations.ts";

/** A conversation under load; members and writers are numbers of connections. */
export interface Conversation {
  readonly members: readonly number[];
  readonly writers: readonly number[];
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
  readonly violations: ViolationSummary;
}

const UNANSWERED = 0;
const ACKED = 1;
const REFUSED = 2;
const UNKNOWN = 3;

/**
 * Conservation, checked while it is measured: every acked message reaches each other member's connection exactly once, in the order
 * of the conversation's seqs, with the seq that its sender was told, and nothing else arrives. An account of numbers, not of messages:
 * some 40 bytes a message and a bit per delivery.
 */
export class Ledger {
  readonly #conversations: readonly Conversation[];
  /** By conversation: which bit of a message is a connection's. */
  readonly #places: readonly ReadonlyMap<number, number>[];
  /** By conversation and place: the seq delivered last. */
  readonly #lastSeqs: readonly Float64Array[];
  readonly #rows = new Rows(MAX_MESSAGES);
  readonly #violations = new Violations();
  #acked = 0;
  #refused = 0;
  #unknown = 0;
  #deliveries = 0;
  #undelivered = 0;

  constructor(conversations: readonly Conversation[]) {
    this.#conversations = conversations;
    this.#places = conversations.map(({ members }) => new Map(members.map((member, place) => [member, place])));
    this.#lastSeqs = conversations.map(({ members }) => new Float64Array(members.length));
  }

  /** Messages that no answer has come for. */
  get unanswered(): number {
    return this.#rows.count - this.#acked - this.#refused - this.#unknown;
  }

  /** Deliveries of acked messages that have not come yet. */
  get undelivered(): number {
    return this.#undelivered;
  }

  get acked(): number {
    return this.#acked;
  }

  get deliveries(): number {
    return this.#deliveries;
  }

  conversationOf(message: number): number {
    return this.#rows.conversation(message);
  }

  /** Numbers a message that is being sent; undefined when the account is full. */
  send(conversation: number, sender: number): number | undefined {
    return this.#rows.add(conversation, sender, this.#membersOf(conversation).length);
  }

  /** Takes in an ack. False if it is not one that was waited for. */
  ack(message: number, connection: number, seq: number): boolean {
    if (!this.#answered(message, connection, ACKED)) return false;
    this.#acked += 1;
    this.#agree(message, seq);
    this.#undelivered += this.#expected(message) - this.#rows.delivered(message);
    return true;
  }

  /** Takes in an error; `certain` when nothing can have been stored. */
  refuse(message: number, connection: number, certain: boolean): boolean {
    if (!this.#answered(message, connection, certain ? REFUSED : UNKNOWN)) return false;
    if (certain) this.#refused += 1;
    else this.#unknown += 1;
    return true;
  }

  /** Takes in a delivery. False if it should not have come. */
  deliver(message: number, connection: number, seq: number): boolean {
    if (!(message >= 0 && message < this.#rows.count)) return this.#wrong("stranger", `an unknown message, seq ${seq}`);
    const conversation = this.#rows.conversation(message);
    const what = `message ${message}, seq ${seq} of conversation ${conversation}, to connection ${connection}`;
    const place = this.#places[conversation]?.get(connection);
    if (place === undefined) return this.#wrong("stranger", what);
    if (connection === this.#rows.sender(message)) return this.#wrong("echo", what);
    if (!this.#rows.mark(message, place)) return this.#wrong("duplicate", what);
    this.#deliveries += 1;
    this.#agree(message, seq);
    this.#inOrder(conversation, place, seq, what);
    if (this.#rows.state(message) === ACKED) this.#undelivered -= 1;
    return true;
  }

  /** Something arrived that this run has not sent. */
  stranger(what: string): void {
    this.#violations.add("stranger", what);
  }

  /** A connection ended that should not have. */
  lost(connection: number, why: string): void {
    this.#violations.add("connection lost", `connection ${connection}: ${why}`);
  }

  /** Closes the account: what is missing now is missing for good. */
  close(): LedgerSummary {
    const messages = Array.from(this.#conversations, (): number[] => []);
    for (let message = 0; message < this.#rows.count; message++) {
      messages[this.#rows.conversation(message)]?.push(message);
      this.#closeMessage(message);
    }
    for (const [conversation, list] of messages.entries()) this.#closeConversation(conversation, list);
    return {
      sent: this.#rows.count,
      acked: this.#acked,
      refused: this.#refused,
      unknown: this.#unknown,
      unanswered: this.unanswered,
      deliveries: this.#deliveries,
      violations: this.#violations.summary(),
    };
  }

  #closeMessage(message: number): void {
    const state = this.#rows.state(message);
    const seq = this.#rows.seq(message);
    if (state === UNANSWERED) this.#violations.add("unanswered", `message ${message}`);
    if (state === REFUSED && seq !== 0)
      this.#violations.add("refused, yet delivered", `message ${message}, seq ${seq}`);
    if (state !== ACKED || this.#rows.delivered(message) === this.#expected(message)) return;
    const conversation = this.#rows.conversation(message);
    for (const [place, connection] of this.#membersOf(conversation).entries()) {
      if (connection === this.#rows.sender(message) || this.#rows.isMarked(message, place)) continue;
      this.#violations.add(
        "missing",
        `message ${message}, seq ${seq} of conversation ${conversation}, to connection ${connection}`,
      );
    }
  }

  /** Seqs are unique, and gapless but for messages whose outcome is not known. */
  #closeConversation(conversation: number, messages: readonly number[]): void {
    const seqs = messages.map((message) => this.#rows.seq(message)).filter((seq) => seq !== 0);
    seqs.sort((a, b) => a - b);
    const open = messages.filter((message) => this.#isOpen(message)).length;
    let holes = 0;
    for (const [index, seq] of seqs.entries()) {
      const before = seqs[index - 1];
      if (before === undefined) continue;
      if (seq === before) this.#violations.add("seq twice", `seq ${seq} of conversation ${conversation}`);
      else holes += seq - before - 1;
    }
    if (holes > open) this.#violations.add("seq hole", `${holes} in conversation ${conversation}, ${open} explained`);
  }

  #isOpen(message: number): boolean {
    const state = this.#rows.state(message);
    return (state === UNANSWERED || state === UNKNOWN) && this.#rows.seq(message) === 0;
  }

  #answered(message: number, connection: number, state: number): boolean {
    const known = message >= 0 && message < this.#rows.count;
    if (!known || this.#rows.sender(message) !== connection || this.#rows.state(message) !== UNANSWERED) {
      return this.#wrong("stray answer", `for message ${message}, to connection ${connection}`);
    }
    this.#rows.setState(message, state);
    return true;
  }

  /** The sender and every receiver must be told the same seq. */
  #agree(message: number, seq: number): void {
    const known = this.#rows.seq(message);
    if (known === 0) this.#rows.setSeq(message, seq);
    else if (known !== seq) this.#violations.add("seqs differ", `message ${message}: ${known} and ${seq}`);
  }

  #inOrder(conversation: number, place: number, seq: number, what: string): void {
    const lastSeqs = this.#lastSeqs[conversation];
    const last = lastSeqs?.[place] ?? 0;
    if (seq <= last) this.#violations.add("out of order", `${what}, came after ${last}`);
    else if (lastSeqs !== undefined) lastSeqs[place] = seq;
  }

  #wrong(kind: string, what: string): false {
    this.#violations.add(kind, what);
    return false;
  }

  #expected(message: number): number {
    return this.#membersOf(this.#rows.conversation(message)).length - 1;
  }

  #membersOf(conversation: number): readonly number[] {
    const found = this.#conversations[conversation];
    if (found === undefined) throw new RangeError(`no conversation ${conversation}`);
    return found.members;
  }
}
