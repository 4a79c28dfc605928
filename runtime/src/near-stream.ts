import { create, type DescMethod } from "@bufbuild/protobuf";
import type { BatchItem, BatchShape } from "./batch.ts";
import { type CallLine, type OnExpired, type OnLost, type Pending, WaitingCalls } from "./call-line.ts";
import type { Channel } from "./channel.ts";
import type { Handler, Init } from "./door-methods.ts";
import { pathOf } from "./grpc-wire.ts";
import type { CallContext } from "./handlers.ts";
import { nearContext } from "./near-call.ts";
import type { NearCaller, Neighbour } from "./neighbour.ts";
import { asSent, fromFailure } from "./wire-error.ts";

/**
 * Both ends of what would be one stream of batched calls if the peer were not in this process: its handler gets each item by itself,
 * in the order of the calls, and as many at a time as the door answers for one stream.
 */
export class NearStream implements CallLine, NearCaller {
  readonly channel: Channel;
  readonly neighbour: Neighbour;
  readonly #method: DescMethod;
  readonly #shape: BatchShape;
  readonly #onLost: OnLost;
  readonly #waiting = new WaitingCalls();
  readonly #ended = new AbortController();
  readonly #context: CallContext = nearContext(this.#ended.signal);
  #handler: Handler | undefined;
  #leave = () => {};
  /** Items that the handler has and that it hasn't answered, also when nobody waits for them any more. */
  #running = 0;
  /** Calls of the queue that would have begun if fewer were running. */
  #held = 0;
  #draining = false;
  #closed = false;

  constructor(channel: Channel, to: Neighbour, method: DescMethod, shape: BatchShape, onLost: OnLost) {
    this.channel = channel;
    this.neighbour = to;
    this.#method = method;
    this.#shape = shape;
    this.#onLost = onLost;
  }

  get size(): number {
    return this.#waiting.size;
  }

  push(pending: Pending): void {
    this.#waiting.queue.push(pending);
    this.neighbour.turns.add(this.#begin);
  }

  drain(): Pending[] {
    const queued = this.#waiting.takeQueue();
    this.#draining = true;
    if (this.#running === 0) this.#close();
    return queued;
  }

  expire(now: number, expired: OnExpired): void {
    // What has not begun waits for its turn in this very process, whatever its service does.
    this.#waiting.expire(now, (pending, why) => expired(pending, pending.sends === 0 ? "busy" : why));
    if (this.#draining && this.size === 0) this.#close();
  }

  abandon(): Pending[] {
    const left = this.#waiting.takeAll();
    this.#close();
    return left;
  }

  lose(cause: unknown): void {
    if (!this.#closed) this.#onLost(this, this.abandon(), cause);
  }

  readonly #begin = (): void => {
    if (this.#closed) return;
    if (this.#running >= this.neighbour.methods.limits.maxItemsInFlight) {
      this.#held++;
      return;
    }
    try {
      this.#handler ??= this.#open();
    } catch (cause) {
      this.lose(cause);
      return;
    }
    const pending = this.#waiting.queue.shift();
    if (pending === undefined) return; // drained, or it waited too long
    pending.sends++;
    this.#running++;
    void this.#answer(this.#handler, pending.item, this.#waiting.unanswered.add(pending));
  };

  #open(): Handler {
    const handler = this.neighbour.methods.handler(this.#method);
    this.#leave = this.neighbour.open(pathOf(this.#method), this);
    return handler;
  }

  /** Never rejects. */
  async #answer(handler: Handler, item: BatchItem, number: number): Promise<void> {
    const { traceparent } = item;
    const context = traceparent ? { ...this.#context, traceparent } : this.#context;
    item.ref = BigInt(number);
    try {
      const answer = create(this.#shape.outputItem, (await handler(item, context)) as Init) as BatchItem;
      answer.ref = item.ref;
      const pending = this.#waiting.unanswered.take(number); // none: its call has timed out
      if (answer.failure === undefined) pending?.resolve(answer);
      else pending?.reject(fromFailure(answer.failure));
    } catch (thrown) {
      const error = this.neighbour.methods.report(thrown, pathOf(this.#method), context);
      this.#waiting.unanswered.take(number)?.reject(asSent(error));
    }
    this.#answered();
  }

  #answered(): void {
    this.#waiting.heardAt = Date.now();
    this.#running--;
    if (this.#held > 0) {
      this.#held--;
      this.neighbour.turns.add(this.#begin);
    }
    if (this.#draining && this.#running === 0) this.#close();
  }

  #close(): void {
    this.#closed = true;
    this.#ended.abort();
    this.#leave();
  }
}
