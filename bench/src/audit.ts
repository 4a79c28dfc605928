import { ACKED, type Conversation, type LedgerSummary, REFUSED, UNANSWERED, UNKNOWN } from "./ledger.ts";
import { COUNTERS, type Rows } from "./rows.ts";
import { type ViolationSummary, Violations } from "./violations.ts";

/** Looks at the account of all threads as a whole: what is still to come, and at the end what is missing. */
export class Audit {
  readonly #conversations: readonly Conversation[];
  readonly #rows: Rows;
  /** Messages before this one are done with. */
  #low = 0;

  constructor(conversations: readonly Conversation[], rows: Rows) {
    this.#conversations = conversations;
    this.#rows = rows;
  }

  get acked(): number {
    return this.#rows.counter(COUNTERS.acked);
  }

  get deliveries(): number {
    return this.#rows.counter(COUNTERS.deliveries);
  }

  /** Whether every message is answered, and every acked one delivered to all. */
  settled(): boolean {
    const { count } = this.#rows;
    while (this.#low < count && this.#isDone(this.#low)) this.#low += 1;
    return this.#low === count;
  }

  /** Closes the account: what is missing now is missing for good. `found` is what the threads have found. */
  close(found: readonly ViolationSummary[]): LedgerSummary {
    const violations = new Violations();
    for (const summary of found) violations.addAll(summary);
    const messages = this.#conversations.map((): number[] => []);
    for (let message = 0; message < this.#rows.count; message++) {
      messages[this.#rows.conversation(message)]?.push(message);
      this.#closeMessage(message, violations);
    }
    for (const [conversation, list] of messages.entries()) this.#closeConversation(conversation, list, violations);
    const [acked, refused, unknown] = [this.acked, ...this.#answers()];
    return {
      ...{ sent: this.#rows.count, acked, refused, unknown, deliveries: this.deliveries },
      unanswered: this.#rows.count - acked - refused - unknown,
      resumed: this.#rows.counter(COUNTERS.resumed),
      violations: violations.summary(),
    };
  }

  #answers(): [number, number] {
    return [this.#rows.counter(COUNTERS.refused), this.#rows.counter(COUNTERS.unknown)];
  }

  #isDone(message: number): boolean {
    const state = this.#rows.state(message);
    return state !== UNANSWERED && (state !== ACKED || this.#rows.delivered(message) >= this.#expected(message));
  }

  #closeMessage(message: number, violations: Violations): void {
    const state = this.#rows.state(message);
    const seq = this.#rows.seq(message);
    if (state === UNANSWERED) violations.add("unanswered", `message ${message}`);
    if (state === REFUSED && seq !== 0) violations.add("refused, yet delivered", `message ${message}, seq ${seq}`);
    if (state !== ACKED || this.#rows.delivered(message) === this.#expected(message)) return;
    const conversation = this.#rows.conversation(message);
    for (const [place, connection] of (this.#conversations[conversation]?.members ?? []).entries()) {
      if (connection === this.#rows.sender(message) || this.#rows.isMarked(message, place)) continue;
      violations.add(
        "missing",
        `message ${message}, seq ${seq} of conversation ${conversation}, to connection ${connection}`,
      );
    }
  }

  /** Seqs are unique, and gapless but for messages whose outcome is not known. */
  #closeConversation(conversation: number, messages: readonly number[], violations: Violations): void {
    const seqs = messages.map((message) => this.#rows.seq(message)).filter((seq) => seq !== 0);
    seqs.sort((a, b) => a - b);
    const open = messages.filter((message) => this.#isOpen(message)).length;
    let holes = 0;
    for (const [index, seq] of seqs.entries()) {
      const before = seqs[index - 1];
      if (before === undefined) continue;
      if (seq === before) violations.add("seq twice", `seq ${seq} of conversation ${conversation}`);
      else holes += seq - before - 1;
    }
    if (holes > open) violations.add("seq hole", `${holes} in conversation ${conversation}, ${open} explained`);
  }

  #isOpen(message: number): boolean {
    const state = this.#rows.state(message);
    return (state === UNANSWERED || state === UNKNOWN) && this.#rows.seq(message) === 0;
  }

  #expected(message: number): number {
    return (this.#conversations[this.#rows.conversation(message)]?.members.length ?? 1) - 1;
  }
}
