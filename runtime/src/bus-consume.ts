import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import { Acks } from "./bus-acks.ts";
import { type Burial, burialOf, bury } from "./bus-bury.ts";
import { Delivery } from "./bus-delivery.ts";
import { defaultRetryDelayMs, Lanes } from "./bus-lanes.ts";
import type { Link } from "./bus-link.ts";
import { Puller } from "./bus-pull.ts";
import { Settled } from "./bus-settled.ts";
import type { ConsumeOptions, Consumption, Delivered, Outcome, Published, PublishOptions } from "./bus-types.ts";
import { shared } from "./fail.ts";
import type { DeclaredStream } from "./streams.ts";

const SLOW_BATCH_MS = 30_000;
/** The lane of what goes to the dead unhandled. */
const UNDELIVERABLE = "\0undeliverable";

/** What a consumption needs beside its options. */
export interface ConsumeDependencies {
  readonly link: Link;
  readonly jsm: JetStreamManager;
  /** Where poison goes. */
  readonly dead: DeclaredStream;
  readonly ackWaitMs: number;
  /** How often a message is delivered at most; -1: no limit. */
  readonly maxDeliver: number;
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published>;
  recreate(): Promise<void>;
  /** The letter for a message that is given up. Default, and where it gives none: one that names this stream and consumer. */
  burialOf?(message: Delivered, reason: string): Burial | undefined;
  /** Called once it has stopped. */
  onStopped(consumption: Consumption): void;
}

/** Pulls a durable consumer's messages and hands them over by lanes. */
export class LaneConsumption implements Consumption {
  readonly #options: ConsumeOptions;
  readonly #needs: ConsumeDependencies;
  readonly #lanes: Lanes<Delivery>;
  readonly #puller: Puller;
  /** By stream sequence: what this process has been given and has not settled. */
  readonly #held = new Map<number, Delivery>();
  /**
   * What was settled last. Its acknowledgement may be lost, and then the server delivers it again, even as if for the
   * first time when it was killed.
   */
  readonly #settled: Settled;
  readonly #acks: Acks;
  readonly #ticker: NodeJS.Timeout;
  #stopping: Promise<void> | undefined;

  constructor(options: ConsumeOptions, needs: ConsumeDependencies) {
    this.#options = options;
    this.#needs = needs;
    this.#settled = new Settled(2 * options.maxInFlight);
    this.#acks = new Acks(needs.link, options.maxInFlight);
    this.#lanes = new Lanes<Delivery>({
      lanes: options.lanes,
      maxBatch: options.maxBatch,
      lingerMs: options.lingerMs ?? 0,
      log: needs.link.log.child({ stream: options.stream, consumer: options.consumer }),
      handle: (batch) => this.#handle(batch),
      retryDelayMs: options.retryDelayMs ?? defaultRetryDelayMs,
      poison: (message, error) => options.poison?.(message, error) ?? this.#worn(message, error),
      done: (message) => this.#settle(message),
      bury: (message, reason) => this.#bury(message, reason),
    });
    this.#puller = new Puller(needs.link, needs.jsm, {
      stream: options.stream,
      consumer: options.consumer,
      room: () => options.maxInFlight - this.#held.size,
      threshold: Math.max(1, Math.floor(options.maxInFlight / 4)),
      gatherMs: options.lingerMs ?? 0,
      receive: (message) => this.#receive(message),
      gathered: () => this.#lanes.hurry(),
      recreate: needs.recreate,
    });
    this.#ticker = setInterval(() => this.#tick(), Math.min(1000, needs.ackWaitMs / 6));
  }

  async lag(): Promise<number> {
    try {
      const info = await this.#needs.jsm.consumers.info(this.#options.stream, this.#options.consumer);
      return info.num_pending;
    } catch (error) {
      throw shared.unavailable(`consumer ${this.#options.consumer} can't be asked`, error);
    }
  }

  held() {
    return { messages: this.#held.size, lanes: this.#lanes.size, running: this.#lanes.running };
  }

  stop(drainMs = 10_000): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    await Promise.all([this.#lanes.close(drainMs), this.#puller.stop(drainMs)]);
    clearInterval(this.#ticker);
    this.#acks.flush();
    const unhandled = this.#lanes.leftovers().sort((a, b) => a.sequence - b.sequence);
    for (const message of unhandled) message.nak(this.#needs.link);
    this.#held.clear();
    this.#needs.onStopped(this);
  }

  /** Must not throw: it runs inside the driver's parser. */
  #receive(message: Msg): void {
    const { link } = this.#needs;
    try {
      const delivery = new Delivery(message, performance.now());
      if (this.#settled.has(delivery.sequence, delivery.nanos)) this.#acks.add(delivery);
      else if (!this.#held.has(delivery.sequence)) this.#hold(delivery);
      else link.log.debug({ sequence: delivery.sequence }, "bus: delivered again while it is handled");
    } catch (error) {
      link.log.error({ err: error, subject: message.subject }, "bus: a message can't be taken");
    }
  }

  #hold(delivery: Delivery): void {
    this.#held.set(delivery.sequence, delivery);
    let lane: number | string;
    try {
      lane = this.#options.laneOf(delivery);
    } catch (error) {
      delivery.undeliverable = `no lane: ${textOf(error)}`;
      lane = UNDELIVERABLE;
    }
    if (this.#isAll(delivery.deliveries - 1)) {
      delivery.undeliverable ??= `delivered ${delivery.deliveries - 1} times and never handled`;
      lane = UNDELIVERABLE;
    }
    this.#lanes.add(lane, delivery);
  }

  /** Whether so many deliveries are all that there may be. */
  #isAll(deliveries: number): boolean {
    return this.#needs.maxDeliver > 0 && deliveries >= this.#needs.maxDeliver;
  }

  /** Why a message is given up that failed at its last delivery. */
  #worn({ deliveries }: Delivery, error: unknown): string | undefined {
    return this.#isAll(deliveries) ? `failed at delivery ${deliveries}, the last: ${textOf(error)}` : undefined;
  }

  #handle(batch: readonly Delivery[]): Promise<void> | Promise<readonly Outcome[]> {
    if (batch[0]?.undeliverable === undefined) return this.#options.handle(batch);
    return Promise.resolve(batch.map((message) => ({ dead: message.undeliverable ?? "no lane" })));
  }

  #settle(message: Delivery): void {
    this.#acks.add(message);
    this.#held.delete(message.sequence);
    this.#settled.add(message.sequence, message.nanos);
    this.#puller.pull();
  }

  /** Moves a message to the DEAD stream: stored there first, acknowledged then. */
  async #bury(message: Delivery, reason: string): Promise<void> {
    const { stream, consumer } = this.#options;
    const { dead, link, publish } = this.#needs;
    const burial = this.#needs.burialOf?.(message, reason) ?? burialOf(this.#options, message, reason);
    await bury(burial, dead, message.traceparent, publish);
    link.log.error({ stream, consumer, sequence: message.sequence, reason }, "bus: a message is dead");
    this.#settle(message);
  }

  /** Tells the server about messages that take long, so that they are not delivered again meanwhile. */
  #tick(): void {
    const now = performance.now();
    const { link, ackWaitMs } = this.#needs;
    if (link.connected()) {
      for (const message of this.#held.values()) {
        if (now - message.heardAt > ackWaitMs / 3) message.working(link, now);
      }
    }
    this.#puller.watch(now);
    const slow = this.#lanes.slowestMs(now);
    if (slow > SLOW_BATCH_MS) {
      const { stream, consumer } = this.#options;
      link.log.warn({ stream, consumer, ms: Math.round(slow) }, "bus: a batch takes very long");
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
