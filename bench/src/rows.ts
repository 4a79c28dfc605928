const FIRST_ROWS = 16_384;
const FIRST_WORDS = 16_384;

/** A table of messages in typed arrays: what the garbage collector never has to look at. Grows by doubling, up to its limit. */
export class Rows {
  readonly #limit: number;
  #conversations = new Uint32Array(FIRST_ROWS);
  #senders = new Uint32Array(FIRST_ROWS);
  #states = new Uint8Array(FIRST_ROWS);
  #delivered = new Uint32Array(FIRST_ROWS);
  #seqs = new Float64Array(FIRST_ROWS);
  #firstBits = new Float64Array(FIRST_ROWS);
  #marks = new Uint32Array(FIRST_WORDS);
  #bits = 0;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a message with room for so many marks; undefined when the table is full. */
  add(conversation: number, sender: number, marks: number): number | undefined {
    if (this.#count >= this.#limit) return undefined;
    this.#makeRoom(marks);
    const row = this.#count;
    this.#conversations[row] = conversation;
    this.#senders[row] = sender;
    this.#firstBits[row] = this.#bits;
    this.#bits += marks;
    this.#count += 1;
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

  /** 0: not known yet. */
  seq(row: number): number {
    return this.#seqs[row] ?? 0;
  }

  setSeq(row: number, seq: number): void {
    this.#seqs[row] = seq;
  }

  /** How many marks are set. */
  delivered(row: number): number {
    return this.#delivered[row] ?? 0;
  }

  isMarked(row: number, place: number): boolean {
    const bit = (this.#firstBits[row] ?? 0) + place;
    return ((this.#marks[Math.floor(bit / 32)] ?? 0) & (1 << (bit % 32))) !== 0;
  }

  /** Sets a mark; false if it was set. */
  mark(row: number, place: number): boolean {
    if (this.isMarked(row, place)) return false;
    const bit = (this.#firstBits[row] ?? 0) + place;
    const word = Math.floor(bit / 32);
    this.#marks[word] = (this.#marks[word] ?? 0) | (1 << (bit % 32));
    this.#delivered[row] = (this.#delivered[row] ?? 0) + 1;
    return true;
  }

  #makeRoom(marks: number): void {
    if (this.#count === this.#states.length) {
      const length = Math.min(this.#limit, this.#count * 2);
      this.#conversations = grown(this.#conversations, new Uint32Array(length));
      this.#senders = grown(this.#senders, new Uint32Array(length));
      this.#states = grown(this.#states, new Uint8Array(length));
      this.#delivered = grown(this.#delivered, new Uint32Array(length));
      this.#seqs = grown(this.#seqs, new Float64Array(length));
      this.#firstBits = grown(this.#firstBits, new Float64Array(length));
    }
    const words = Math.ceil((this.#bits + marks) / 32);
    if (words > this.#marks.length) {
      this.#marks = grown(this.#marks, new Uint32Array(Math.max(words, this.#marks.length * 2)));
    }
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
