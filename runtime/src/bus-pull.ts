import { JetStreamApiCodes, JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { atMost, type Link } from "./bus-link.ts";
import { Pace } from "./bus-pace.ts";

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 5000;
const RETRY_MS = 250;
const NANOS_PER_MS = 1_000_000;

/** What a puller needs. */
export interface PullOptions {
  readonly stream: string;
  readonly consumer: string;
  /** How many messages may be asked for at the moment. */
  room(): number;
  /** Ask again only when at least this many would be asked for. */
  readonly threshold: number;
  /** How long messages may wait at the server for others, in milliseconds; 0: each comes at once. */
  readonly gatherMs: number;
  receive(message: Msg): void;
  /** What had gathered is there. */
  gathered(): void;
  /** Makes the consumer again after it was deleted. */
  recreate(): Promise<void>;
}

/**
 * Asks the server for messages, never for more than there is room for. The driver's `consume()` knows only how many
 * it has handed out, not how many are still being worked on, and keeps further ones in a buffer where their
 * `ack_wait` runs out unseen.
 */
export class Puller {
  readonly #link: Link;
  readonly #jsm: JetStreamManager;
  readonly #options: PullOptions;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #unfollow: () => void;
  /** Asked for and not come yet. */
  #requested = 0;
  #serial = 0;
  /** Answers to older requests are void. */
  #firstSerial = 0;
  #heardAt = performance.now();
  #recovering = false;
  #stopped = false;
  #wake: (() => void) | undefined;
  /** None: there is always a request under way. */
  readonly #pace: Pace | undefined;

  constructor(link: Link, jsm: JetStreamManager, options: PullOptions) {
    this.#link = link;
    this.#jsm = jsm;
    this.#options = options;
    const { gatherMs, threshold } = options;
    this.#pace = gatherMs > 0 ? new Pace({ gatherMs: () => gatherMs, threshold, ask: () => this.pull() }) : undefined;
    this.#subscription = link.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => this.#take(error, message),
    });
    this.#unfollow = link.onChange((connected) => {
      if (connected) this.#recover("connected again");
      this.#wake?.();
    });
    this.pull();
  }

  /** Asks for as many as there is room for. */
  pull(): void {
    if (this.#stopped || this.#recovering || !this.#link.connected()) return;
    const batch = this.#options.room() - this.#requested;
    if (batch < 1 || !this.#isTime(batch)) return;
    const { stream, consumer } = this.#options;
    const no_wait = this.#pace !== undefined;
    const request = { batch, no_wait, expires: EXPIRES_MS * NANOS_PER_MS, idle_heartbeat: HEARTBEAT_MS * NANOS_PER_MS };
    if (this.#requested === 0) this.#heardAt = performance.now();
    this.#requested += batch;
    const reply = `${this.#inbox}.${this.#serial++}`;
    this.#link.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), { reply });
  }

  #isTime(batch: number): boolean {
    if (this.#requested === 0) return this.#pace?.allows(batch) ?? true;
    return this.#pace === undefined && batch >= this.#options.threshold;
  }

  /** Notices that the server has gone silent. To be called every second or so. */
  watch(now: number): void {
    if (this.#requested === 0 || this.#recovering || !this.#link.connected()) return;
    if (now - this.#heardAt > 2.5 * HEARTBEAT_MS) this.#recover("heartbeats missed");
  }

  /**
   * Asks for nothing more; messages that are on their way still come until this resolves, after `timeoutMs` at most.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopped = true;
    this.#unfollow();
    this.#pace?.stop();
    this.#wake?.();
    if (!this.#link.connected()) {
      this.#subscription.unsubscribe();
      return;
    }
    await atMost(timeoutMs, this.#subscription.drain()).catch((error) => {
      this.#link.log.debug({ err: error }, "bus: the consumer's inbox was not drained");
    });
  }

  #take(error: Error | null, message: Msg): void {
    if (error !== null) {
      this.#link.log.error({ err: error, ...this.#names() }, "bus: may not receive messages");
      return;
    }
    this.#heardAt = performance.now();
    if (message.subject.startsWith(this.#inbox)) {
      this.#status(message);
    } else {
      this.#requested = Math.max(0, this.#requested - 1);
      this.#options.receive(message);
      if (this.#requested === 0) this.#answered(true);
    }
    this.pull();
  }

  /** All that was asked for has come, or, where it gathers, all that there was. */
  #answered(inFull: boolean): void {
    if (this.#pace === undefined) return;
    this.#requested = 0;
    this.#pace.answered(inFull);
    // Where there is more to come, lanes wait for full batches.
    if (!inFull) this.#options.gathered();
  }

  #status(message: Msg): void {
    const code = message.headers?.code ?? 0;
    const serial = Number(message.subject.slice(this.#inbox.length + 1));
    if (code === 100 || serial < this.#firstSerial) return;
    const description = message.headers?.description ?? "";
    if ((code === 408 || code === 404) && this.#pace !== undefined) {
      if (serial === this.#serial - 1) this.#answered(false);
    } else if (code === 408 || code === 404) {
      const left = Number(message.headers?.get("Nats-Pending-Messages") ?? "");
      this.#requested = Math.max(0, this.#requested - left);
    } else {
      this.#recover(`${code} ${description}`);
    }
  }

  #recover(reason: string): void {
    if (this.#recovering || this.#stopped) return;
    this.#recovering = true;
    const expected = reason === "connected again";
    this.#link.log[expected ? "info" : "warn"]({ ...this.#names(), reason }, "bus: the consumer is looked for");
    void this.#find(expected ? 0 : RETRY_MS).then(() => {
      this.#recovering = false;
      this.#requested = 0;
      this.#firstSerial = this.#serial;
      if (this.#pace === undefined) this.pull();
      else this.#pace.hurry();
    });
  }

  /** Ends when the consumer is there. Never rejects. */
  async #find(firstPauseMs: number): Promise<void> {
    const { stream, consumer } = this.#options;
    if (firstPauseMs > 0) await this.#pause(firstPauseMs);
    for (let attempt = 0; !this.#stopped; attempt++) {
      try {
        if (this.#link.connected()) {
          await this.#jsm.consumers.info(stream, consumer);
          return;
        }
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound) {
          await this.#recreate();
        } else {
          this.#link.log.error({ err: error, ...this.#names() }, "bus: the consumer can't be reached");
        }
      }
      await this.#pause(Math.min(RETRY_MS * 2 ** attempt, 5000));
    }
  }

  async #recreate(): Promise<void> {
    this.#link.log.error(
      this.#names(),
      "bus: THE CONSUMER IS GONE and is made again: it begins at the stream's first message",
    );
    try {
      await this.#options.recreate();
    } catch (error) {
      this.#link.log.error({ err: error, ...this.#names() }, "bus: the consumer can't be made again");
    }
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

  #names() {
    return { stream: this.#options.stream, consumer: this.#options.consumer };
  }
}
