import { type ClientDuplexStream, Metadata, status } from "@grpc/grpc-js";
import { BatchEncoder, type BatchItem, type BatchShape, decodeBatch } from "./batch.ts";
import { type CallLine, type OnExpired, type OnLost, type Pending, WaitingCalls } from "./call-line.ts";
import type { Channel } from "./channel.ts";
import { shared } from "./fail.ts";
import { Gathering } from "./gathering.ts";
import { asIs, MAX_MESSAGE_BYTES } from "./grpc-wire.ts";
import { fromFailure } from "./wire-error.ts";

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
  readonly #waiting = new WaitingCalls();
  readonly #gathering = new Gathering(() => this.#flush());
  /** Until the peer has accepted the stream nothing is written, so that what is lost before was certainly not processed. */
  #blocked = true;
  #draining = false;
  #closed = false;

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
    return this.#waiting.size;
  }

  push(pending: Pending): void {
    this.#waiting.queue.push(pending);
    if (!this.#blocked)
      this.#gathering.added(this.#waiting.queue.length, this.#waiting.unanswered.size, this.#encoder.limit);
  }

  drain(): Pending[] {
    const queued = this.#waiting.takeQueue();
    this.#draining = true;
    if (this.#waiting.unanswered.size === 0) this.#close();
    else this.#call.end();
    return queued;
  }

  expire(now: number, expired: OnExpired): void {
    this.#waiting.expire(now, expired);
    if (this.#draining && this.size === 0) this.#close();
  }

  abandon(): Pending[] {
    const left = this.#waiting.takeAll();
    this.#gathering.done();
    this.#close();
    return left;
  }

  #flush(): void {
    this.#gathering.done();
    while (this.#waiting.queue.length > 0 && !this.#blocked && !this.#closed && !this.#draining) {
      const batch = this.#waiting.queue.splice(0, this.#encoder.limit);
      for (const bytes of this.#encoder.encode(batch.map(this.#number), this.#refuse)) {
        if (!this.#call.write(bytes)) this.#blocked = true;
      }
    }
  }

  readonly #number = (pending: Pending): BatchItem => {
    pending.item.ref = BigInt(this.#waiting.unanswered.add(pending));
    pending.sends++;
    return pending.item;
  };

  readonly #refuse = (item: BatchItem, cause: unknown): void => {
    const pending = this.#take(item.ref);
    pending?.reject(shared.malformed(`the item cannot be sent: ${String(cause)}`, cause));
  };

  #take(ref: bigint): Pending | undefined {
    return this.#waiting.unanswered.take(Number(ref));
  }

  #unblock(): void {
    this.#blocked = false;
    this.#flush();
  }

  #read(bytes: Buffer): void {
    if (this.#closed) return;
    this.#waiting.heardAt = Date.now();
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
    if (this.#draining && this.#waiting.unanswered.size === 0) this.#close();
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
