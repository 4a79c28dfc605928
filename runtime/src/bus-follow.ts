import { randomBytes } from "node:crypto";
import { AckPolicy, DeliverPolicy, type JetStreamManager } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import { parseReply } from "./bus-delivery.ts";
import { FollowRequests } from "./bus-follow-requests.ts";
import type { Link } from "./bus-link.ts";
import { positionOf } from "./bus-read.ts";
import type { Following, FollowOptions, StreamPosition } from "./bus-types.ts";
import { shared } from "./fail.ts";

/** The server forgets the consumer of a process that is gone after this time. */
const INACTIVE_MS = 60_000;
const RETRY_MS = 250;
const MAX_RETRY_MS = 5000;
/** After this time without the awaited message the server is asked whether there is one at all. */
const STUCK_MS = 250;
const NANOS_PER_MS = 1_000_000;

/** Who waits for a place in the stream. */
interface Waiter {
  readonly position: StreamPosition;
  readonly resolve: () => void;
}

/** One consumer of the server's and what came from it. */
interface Session {
  readonly consumer: string;
  /** The consumer sequence of the last message: they follow each other, so a lost one shows. */
  received: number;
  readonly ended: Promise<string>;
  readonly end: (why: string) => void;
}

/**
 * Sees every message of a stream, in order, each at least once. It uses a consumer without acknowledgements of its own and makes
 * another whenever it can't be sure that it has seen everything: connection lost, a message lost on the way, the server silent.
 * It then begins where `from` says.
 */
export class Follower implements Following {
  readonly #link: Link;
  readonly #jsm: JetStreamManager;
  readonly #options: FollowOptions;
  readonly #onStopped: () => void;
  readonly #unfollow: () => void;
  readonly #running: Promise<void>;
  readonly #waiters = new Set<Waiter>();
  #session: Session | undefined;
  #requests: FollowRequests | undefined;
  /** Everything up to here was handled, or needs no handling. */
  #handled: StreamPosition = { lastSequence: 0, createdMs: 0 };
  #stopped = false;
  #wake: (() => void) | undefined;
  /** While anybody waits, one for all: the server must not be asked for each of them. */
  #looking: NodeJS.Timeout | undefined;

  constructor(link: Link, jsm: JetStreamManager, options: FollowOptions, onStopped: () => void) {
    this.#link = link;
    this.#jsm = jsm;
    this.#options = options;
    this.#onStopped = onStopped;
    this.#unfollow = link.onChange((connected) => {
      if (!connected) this.restart("disconnected");
      this.#wake?.();
    });
    this.#running = this.#run();
  }

  async reached(position: StreamPosition, timeoutMs: number): Promise<void> {
    if (this.#has(position)) return;
    if (position.createdMs > this.#handled.createdMs) this.restart("the stream was made anew");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { position, resolve };
    const late = () =>
      reject(shared.unavailable(`what stream ${this.#options.stream} holds isn't known at the moment`));
    const timer = setTimeout(late, timeoutMs);
    this.#waiters.add(waiter);
    this.#requests?.hurry();
    this.#looking ??= setInterval(() => void this.#look(), STUCK_MS);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
      if (this.#waiters.size > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    });
  }

  restart(why = "asked to"): void {
    this.#session?.end(why);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unfollow();
    this.restart("stopped");
    this.#wake?.();
    await this.#running;
    this.#onStopped();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { stream } = this.#options;
    for (let failures = 0; !this.#stopped; ) {
      try {
        if (this.#link.connected()) {
          const why = await this.#follow();
          failures = 0;
          this.#link.log.info({ stream, why }, "bus: following begins anew");
        }
      } catch (error) {
        this.#link.log.warn({ err: error, stream }, "bus: the stream can't be followed at the moment");
      }
      if (!this.#stopped) await this.#pause(Math.min(RETRY_MS * 2 ** failures++, MAX_RETRY_MS));
    }
  }

  /** Follows with one consumer until that is of no use any more; says why. */
  async #follow(): Promise<string> {
    const { stream, subject } = this.#options;
    const position = await positionOf(this.#jsm, stream);
    const first = Math.max(1, await this.#options.from(position));
    const consumer = `follow-${randomBytes(8).toString("hex")}`;
    const { promise: ended, resolve: end } = Promise.withResolvers<string>();
    const session: Session = { consumer, received: 0, ended, end };
    const { num_pending: waiting } = await this.#jsm.consumers.add(stream, {
      name: consumer,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: first,
      ...(subject === undefined ? {} : { filter_subject: subject }),
      headers_only: true,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * NANOS_PER_MS,
    });
    this.#session = session;
    this.#handled = { createdMs: position.createdMs, lastSequence: first - 1 };
    // Its last messages may be gone, by age for instance: they never come.
    this.#advance(waiting === 0 ? position.lastSequence : 0);
    const requests = new FollowRequests(this.#link, stream, session, {
      gatherMs: () => (this.#waiters.size > 0 ? 0 : (this.#options.gatherMs ?? 0)),
      receive: (message) => this.#take(session, message),
    });
    this.#requests = requests;
    try {
      return this.#stopped ? "stopped" : await ended;
    } finally {
      this.#session = undefined;
      this.#requests = undefined;
      requests.stop();
      this.#discard(consumer);
    }
  }

  #take(session: Session, message: Msg): void {
    const { sequence, consumerSequence } = parseReply(message.reply ?? "");
    if (consumerSequence !== session.received + 1) {
      session.end(`message ${session.received + 1} came as ${consumerSequence}`);
      return;
    }
    session.received = consumerSequence;
    this.#options.handle({ subject: message.subject, sequence });
    this.#advance(sequence);
  }

  #advance(sequence: number): void {
    if (sequence > this.#handled.lastSequence) this.#handled = { ...this.#handled, lastSequence: sequence };
    for (const { position, resolve } of this.#waiters) if (this.#has(position)) resolve();
  }

  #has({ createdMs, lastSequence }: StreamPosition): boolean {
    if (this.#session === undefined || !this.#link.connected()) return false;
    return createdMs === this.#handled.createdMs && lastSequence <= this.#handled.lastSequence;
  }

  /** The awaited message may have been removed before it was delivered: then the consumer has nothing left to give. */
  async #look(): Promise<void> {
    const session = this.#session;
    const { createdMs } = this.#handled;
    const awaited = [...this.#waiters].filter(({ position }) => position.createdMs === createdMs);
    if (session === undefined || awaited.length === 0) return;
    const lastSequence = Math.max(...awaited.map(({ position }) => position.lastSequence));
    try {
      const { num_pending, delivered } = await this.#jsm.consumers.info(this.#options.stream, session.consumer);
      if (this.#session !== session || num_pending > 0 || delivered.consumer_seq !== session.received) return;
      this.#advance(lastSequence);
    } catch (error) {
      this.#link.log.debug({ err: error }, "bus: the follower's consumer was not found");
    }
  }

  #discard(consumer: string): void {
    if (!this.#link.connected()) return;
    this.#jsm.consumers.delete(this.#options.stream, consumer).catch((error) => {
      this.#link.log.debug({ err: error }, "bus: the follower's consumer was not deleted");
    });
  }

  /** Waits, or until the connection changes. */
  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
