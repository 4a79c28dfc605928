/** What the threads of the generator share: one row per message, a bit per delivery. Pages that nobody touches cost nothing. */
export interface RowMemory {
  readonly limit: number;
  readonly maxMarks: number;
  readonly counters: SharedArrayBuffer;
  readonly conversations: SharedArrayBuffer;
  readonly senders: SharedArrayBuffer;
  readonly states: SharedArrayBuffer;
  readonly delivered: SharedArrayBuffer;
  readonly seqs: SharedArrayBuffer;
  readonly firstMarks: SharedArrayBuffer;
  readonly intended: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
}

/** Counters for everything, then so many for each part of the traffic. */
export const COUNTERS = {
  rows: 0,
  marks: 1,
  acked: 2,
  refused: 3,
  unknown: 4,
  deliveries: 5,
  resumed: 6,
  parts: 8,
} as const;
const PART_COUNTERS = 2;
const MAX_PARTS = 64;

/** Memory for so many messages and deliveries. */
export function rowMemory(limit: number, maxMarks: number): RowMemory {
  const of = (bytes: number) => new SharedArrayBuffer(bytes);
  return {
    limit,
    maxMarks,
    counters: of(4 * (COUNTERS.parts + PART_COUNTERS * MAX_PARTS)),
    conversations: of(4 * limit),
    senders: of(4 * limit),
    states: of(limit),
    delivered: of(4 * limit),
    seqs: of(4 * limit),
    firstMarks: of(4 * limit),
    intended: of(8 * limit),
    marks: of(4 * Math.ceil(maxMarks / 32)),
  };
}

/**
 * A table of messages in shared typed arrays, which the garbage collector never has to look at. A row is written by the thread that
 * sends the message; what receivers write (marks, seqs, counters) is written atomically.
 */
export class Rows {
  readonly #limit: number;
  readonly #maxMarks: number;
  readonly #counters: Int32Array;
  readonly #conversations: Int32Array;
  readonly #senders: Int32Array;
  readonly #states: Uint8Array;
  readonly #delivered: Int32Array;
  readonly #seqs: Int32Array;
  readonly #firstMarks: Int32Array;
  readonly #intended: Float64Array;
  readonly #marks: Int32Array;

  constructor(memory: RowMemory) {
    this.#limit = memory.limit;
    this.#maxMarks = memory.maxMarks;
    this.#counters = new Int32Array(memory.counters);
    this.#conversations = new Int32Array(memory.conversations);
    this.#senders = new Int32Array(memory.senders);
    this.#states = new Uint8Array(memory.states);
    this.#delivered = new Int32Array(memory.delivered);
    this.#seqs = new Int32Array(memory.seqs);
    this.#firstMarks = new Int32Array(memory.firstMarks);
    this.#intended = new Float64Array(memory.intended);
    this.#marks = new Int32Array(memory.marks);
  }

  get count(): number {
    return Math.min(this.#limit, this.counter(COUNTERS.rows));
  }

  /** Messages that no answer has come for. */
  get unanswered(): number {
    const answered = this.counter(COUNTERS.acked) + this.counter(COUNTERS.refused) + this.counter(COUNTERS.unknown);
    return this.count - answered;
  }

  /** Adds a message with room for so many marks; undefined when the table is full. */
  add(conversation: number, sender: number, marks: number, intended: number): number | undefined {
    const row = Atomics.add(this.#counters, COUNTERS.rows, 1);
    const first = row < this.#limit ? Atomics.add(this.#counters, COUNTERS.marks, marks) : 0;
    if (row >= this.#limit || first + marks > this.#maxMarks) {
      Atomics.sub(this.#counters, COUNTERS.rows, 1);
      return undefined;
    }
    this.#conversations[row] = conversation;
    this.#senders[row] = sender;
    this.#firstMarks[row] = first;
    this.#intended[row] = intended;
    return row;
  }

  conversation(row: number): number {
    return this.#conversations[row] ?? 0;
  }

  sender(row: number): number {
    return this.#senders[row] ?? 0;
  }

  state(row: number): number {
    return this.#states[row] ?? 0;
  }

  setState(row: number, state: number): void {
    this.#states[row] = state;
  }

  /** When it was meant to leave, by the generator's clock. */
  intended(row: number): number {
    return this.#intended[row] ?? 0;
  }

  /** 0: not known yet. */
  seq(row: number): number {
    return this.#seqs[row] ?? 0;
  }

  /** Sets the seq unless it is known; gives the one that counts. */
  agreeSeq(row: number, seq: number): number {
    const known = this.#seqs[row] ?? 0;
    return (known !== 0 ? known : Atomics.compareExchange(this.#seqs, row, 0, seq)) || seq;
  }

  /** How many marks are set. */
  delivered(row: number): number {
    return this.#delivered[row] ?? 0;
  }

  isMarked(row: number, place: number): boolean {
    const bit = (this.#firstMarks[row] ?? 0) + place;
    return ((this.#marks[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }

  /** Sets a mark; false if it was set. */
  mark(row: number, place: number): boolean {
    const bit = (this.#firstMarks[row] ?? 0) + place;
    const mask = 1 << (bit & 31);
    if ((Atomics.or(this.#marks, bit >>> 5, mask) & mask) !== 0) return false;
    Atomics.add(this.#delivered, row, 1);
    return true;
  }

  counter(index: number): number {
    return Atomics.load(this.#counters, index);
  }

  countUp(index: number): void {
    Atomics.add(this.#counters, index, 1);
  }

  /** Counts an ack of a part of the traffic. */
  countAck(part: number): void {
    Atomics.add(this.#counters, COUNTERS.acked, 1);
    Atomics.add(this.#counters, COUNTERS.parts + PART_COUNTERS * part, 1);
  }

  /** Counts a delivery of a part of the traffic. */
  countDelivery(part: number): void {
    Atomics.add(this.#counters, COUNTERS.deliveries, 1);
    Atomics.add(this.#counters, COUNTERS.parts + PART_COUNTERS * part + 1, 1);
  }

  ackedOf(part: number): number {
    return this.counter(COUNTERS.parts + PART_COUNTERS * part);
  }

  deliveriesOf(part: number): number {
    return this.counter(COUNTERS.parts + PART_COUNTERS * part + 1);
  }
}
