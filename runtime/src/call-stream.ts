import { type ClientDuplexStream, Metadata, status } from "@grpc/grpc-js";
import { BatchEncoder, type BatchItem, type BatchShape, decodeBatch } from "./batch.ts";
import type { Channel } from "./channel.ts";
import { type ServiceError, shared } from "./fail.ts";
import { Gathering } from "./gathering.ts";
import { asIs, MAX_MESSAGE_BYTES } from "./grpc-wire.ts";
import { InFlight } from "./in-flight.ts";
import type { Neighbour } from "./neighbour.ts";
import { fromFailure } from "./wire-error.ts";

/** A call that waits for its answer. It is in one place at a time, so it is settled once. */
export interface Pending {
  readonly item: BatchItem;
  readonly key: string | undefined;
  readonly address: string | undefined;
  readonly resolve: (answer: BatchItem) => void;
  readonly reject: (error: ServiceError) => void;
  /** For how long nothing at all may come from the peer, in milliseconds. */
  readonly timeoutMs: number;
  /** Until when it waits in any case, in milliseconds since the epoch. */
  readonly deadline: number;
  /** Until when it waits at most, while the peer answers others. */
  readonly latest: number;
  /** How often it was written to a stream: once that has happened its outcome is unknown until it is answered. */
  sends: number;
}

/** Where the calls to one address go. */
export interface CallLine {
  readonly channel: Channel;
  /** The door of this process that it leads to; undefined when it leads over a socket. */
  readonly neighbour: Neighbour | undefined;
  /** How many calls wait for an answer. */
  readonly size: number;
  push(pending: Pending): void;
  /** Sends nothing more and gives back what was not sent; what was sent is answered yet. */
  drain(): Pending[];
  /** Takes out the calls that have waited too long. A peer that is slow but answers is not one that is silent. */
  expire(now: number, expired: (pending: Pending) => void): void;
  /** Ends at once and gives back everything. */
  abandon(): Pending[];
}

/** What becomes of calls whose stream broke: those that it had sent, then those that it had not, each in order. */
export type OnLost = (line: CallLine, left: Pending[], cause: unknown) => void;

/**
 * The caller's end of one stream of batched calls. Calls made in the same turn of the event loop leave as one message, and
 * while the stream is busy or full they gather, so that batches grow with the load.
 */
export class CallStream implements CallLine {
  readonly channel: Channel;
  readonly neighbour = undefined;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #output: BatchShape["output"];
  readonly #encoder: BatchEncoder;
  readonly #onLost: OnLost;
  readonly #unanswered = new InFlight<Pending>();
  #queue: Pending[] = [];
  readonly #gathering = new Gathering(() => this.#flush());
  /** Until the peer has accepted the stream nothing is written, so that what is lost before was certainly not processed. */
  #blocked = true;
  #draining = false;
  #closed = false;
  /** When the peer answered last, in milliseconds since the epoch. */
  #heardAt = 0;

  constructor(channel: Channel, path: string, shape: BatchShape, onLost: OnLost) {
    this.channel = channel;
    this.#output = shape.output;
    this.#encoder = new BatchEncoder(shape.input, MAX_MESSAGE_BYTES);
    this.#onLost = onLost;
    this.#call = channel.client.makeBidiStreamRequest(path, asIs, asIs, new Metadata());
    this.#call.on("metadata", () => this.#unblock());
    this.#call.on("drain", () => this.#unblock());
    this.#call.on("data", (bytes: Buffer) => this.#read(bytes));
    this.#call.on("error", (cause) => this.#lose(cause));
    this.#call.on("end", () => this.#lose(new Error("the peer ended the stream")));
  }

  get size(): number {
    return this.#queue.length + this.#unanswered.size;
  }

  push(pending: Pending): void {
    this.#queue.push(pending);
    if (!this.#blocked) this.#gathering.added(this.#queue.length, this.#unanswered.size, this.#encoder.limit);
  }

  drain(): Pending[] {
    const queued = this.#queue;
    this.#queue = [];
    this.#draining = true;
    if (this.#unanswered.size === 0) this.#close();
    else this.#call.end();
    return queued;
  }

  expire(now: number, expired: (pending: Pending) => void): void {
    const isOver = ({ timeoutMs, deadline, latest }: Pending) =>
      Math.min(latest, Math.max(deadline, this.#heardAt + timeoutMs)) <= now;
    for (const pending of this.#unanswered.takeIf(isOver)) expired(pending);
    if (this.#queue.some(isOver)) {
      const queue = this.#queue;
      this.#queue = queue.filter((pending) => !isOver(pending));
      for (const pending of queue) if (isOver(pending)) expired(pending);
    }
    if (this.#draining && this.size === 0) this.#close();
  }

  abandon(): Pending[] {
    const left = [...this.#unanswered.takeIf(() => true), ...this.#queue];
    this.#gathering.done();
    this.#queue = [];
    this.#close();
    return left;
  }

  #flush(): void {
    this.#gathering.done();
    while (this.#queue.length > 0 && !this.#blocked && !this.#closed && !this.#draining) {
      const batch = this.#queue.splice(0, this.#encoder.limit);
      for (const bytes of this.#encoder.encode(batch.map(this.#number), this.#refuse)) {
        if (!this.#call.write(bytes)) this.#blocked = true;
      }
    }
  }

  readonly #number = (pending: Pending): BatchItem => {
    pending.item.ref = BigInt(this.#unanswered.add(pending));
    pending.sends++;
    return pending.item;
  };

  readonly #refuse = (item: BatchItem, cause: unknown): void => {
    const pending = this.#take(item.ref);
    pending?.reject(shared.malformed(`the item cannot be sent: ${String(cause)}`, cause));
  };

  #take(ref: bigint): Pending | undefined {
    return this.#unanswered.take(Number(ref));
  }

  #unblock(): void {
    this.#blocked = false;
    this.#flush();
  }

  #read(bytes: Buffer): void {
    if (this.#closed) return;
    this.#heardAt = Date.now();
    let answers: BatchItem[];
    try {
      answers = decodeBatch(this.#output, bytes);
    } catch (cause) {
      this.#lose(cause);
      return;
    }
    for (const answer of answers) {
      // None: its call has timed out.
      const pending = this.#take(answer.ref);
      if (answer.failure === undefined) pending?.resolve(answer);
      else pending?.reject(fromFailure(answer.failure));
    }
    if (this.#draining && this.#unanswered.size === 0) this.#close();
  }

  #lose(cause: unknown): void {
    if (this.#closed) return;
    this.#onLost(this, this.abandon(), cause);
  }

  #close(): void {
    this.#closed = true;
    this.#call.cancel();
  }
}

/** Whether the peer has said that it will never take such a stream. */
export function isUnimplemented(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === status.UNIMPLEMENTED;
}
