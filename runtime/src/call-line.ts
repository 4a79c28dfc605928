import type { BatchItem } from "./batch.ts";
import type { Channel } from "./channel.ts";
import type { ServiceError } from "./fail.ts";
import { InFlight } from "./in-flight.ts";
import type { Neighbour } from "./neighbour.ts";
import type { WhyUnanswered } from "./unanswered.ts";

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
  expire(now: number, expired: OnExpired): void;
  /** Ends at once and gives back everything. */
  abandon(): Pending[];
}

/** Told of a call that has waited too long, and what its peer does meanwhile. */
export type OnExpired = (pending: Pending, why: WhyUnanswered) => void;

/** What becomes of calls whose stream broke: those that it had sent, then those that it had not, each in order. */
export type OnLost = (line: CallLine, left: Pending[], cause: unknown) => void;

/** The calls that wait on one line. */
export class WaitingCalls {
  /** Not sent yet, in the order of the calls. */
  queue: Pending[] = [];
  /** Sent and not answered. */
  readonly unanswered = new InFlight<Pending>();
  /** When the peer answered last, in milliseconds since the epoch. */
  heardAt = 0;

  get size(): number {
    return this.queue.length + this.unanswered.size;
  }

  /** Takes out those that have waited too long. A peer that is slow but answers is not one that is silent. */
  expire(now: number, expired: OnExpired): void {
    const isOver = ({ timeoutMs, deadline, latest }: Pending) =>
      Math.min(latest, Math.max(deadline, this.heardAt + timeoutMs)) <= now;
    const tell = (pending: Pending) => expired(pending, this.heardAt + pending.timeoutMs > now ? "busy" : "silent");
    for (const pending of this.unanswered.takeIf(isOver)) tell(pending);
    if (!this.queue.some(isOver)) return;
    const { queue } = this;
    this.queue = queue.filter((pending) => !isOver(pending));
    for (const pending of queue) if (isOver(pending)) tell(pending);
  }

  /** Takes out those that were not sent. */
  takeQueue(): Pending[] {
    const { queue } = this;
    this.queue = [];
    return queue;
  }

  /** Takes out all of them: those that were sent, then those that were not, each in order. */
  takeAll(): Pending[] {
    return [...this.unanswered.takeIf(() => true), ...this.takeQueue()];
  }
}
