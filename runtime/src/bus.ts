import type { DescMessage } from "@bufbuild/protobuf";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { DeadLetterSchema, ReplayedLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { PublishBatches } from "./bus-batch.ts";
import { type ConsumeDependencies, LaneConsumption } from "./bus-consume.ts";
import { Follower } from "./bus-follow.ts";
import { connectLink, type Link, type LinkOptions } from "./bus-link.ts";
import { PublishWindow } from "./bus-publish.ts";
import { ackFloorOf, positionOf, readFrom, readOne } from "./bus-read.ts";
import { readLast } from "./bus-read-last.ts";
import { Replay, replaySpec } from "./bus-replay.ts";
import { ensureConsumer, ensureStream } from "./bus-setup.ts";
import type {
  Bus,
  ConsumeOptions,
  ConsumerSpec,
  Consumption,
  Following,
  FollowOptions,
  Published,
  PublishOptions,
  ReadOptions,
  StoredMessage,
  StreamOverrides,
  StreamPosition,
} from "./bus-types.ts";
import { shared } from "./fail.ts";
import { type DeclaredStream, streamOf } from "./streams.ts";

/** How the process uses NATS. */
export interface BusOptions extends LinkOptions {
  /** How many publishes may wait for the server's answer. Default 512. */
  readonly maxPublishing?: number;
  /** How many more may wait for room. Default 10,000. */
  readonly maxWaiting?: number;
  /** How many publishes may go in one atomic batch, when they wait (`bus-batch.ts`). Default 1: each by itself. */
  readonly batch?: number;
  /** For every stream that is ensured, unless the call says otherwise. */
  readonly streams?: StreamOverrides;
}

const MAX_WAITING = 10_000;

/** Connects to NATS; throws UNAVAILABLE when that does not work in time. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const link = await connectLink(options);
  // Nothing is asked yet: a stream that can't be had shows when it is ensured.
  const jsm = await jetstreamManager(link.nc, { checkAPI: false });
  return new NatsBus(link, jsm, options);
}

class NatsBus implements Bus {
  readonly #link: Link;
  readonly #jsm: JetStreamManager;
  readonly #window: PublishWindow;
  readonly #batches: PublishBatches | undefined;
  /**
   * By stream and consumer: what was ensured, so that it can be made again. One entry for each consumer of the
   * service.
   */
  readonly #specs = new Map<string, ConsumerSpec>();
  readonly #consumptions = new Set<Consumption>();
  readonly #followers = new Set<Follower>();
  readonly #overrides: StreamOverrides;
  #dead: DeclaredStream | undefined;

  constructor(link: Link, jsm: JetStreamManager, options: BusOptions) {
    this.#link = link;
    this.#jsm = jsm;
    this.#overrides = options.streams ?? {};
    this.#window = new PublishWindow(link, {
      inFlight: options.maxPublishing ?? 512,
      waiting: options.maxWaiting ?? MAX_WAITING,
    });
    const { batch = 1, maxWaiting = MAX_WAITING } = options;
    if (batch > 1) this.#batches = new PublishBatches(this.#window, { batch, waiting: maxWaiting });
  }

  async ensureStream(desc: DescMessage, overrides: StreamOverrides = {}): Promise<void> {
    const stream = streamOf(desc);
    await ensureStream(this.#jsm, stream, { ...this.#overrides, ...overrides });
    if (desc.typeName !== DeadLetterSchema.typeName) return;
    this.#dead = stream;
    // What the dead come back through.
    await this.ensureStream(ReplayedLetterSchema, overrides);
  }

  async ensureConsumer(desc: DescMessage, spec: ConsumerSpec): Promise<void> {
    const stream = streamOf(desc).name;
    await ensureConsumer(this.#jsm, stream, spec);
    this.#specs.set(`${stream}/${spec.name}`, spec);
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<Published> {
    return (this.#batches ?? this.#window).publish(subject, data, options);
  }

  lastBySubject(stream: string, subject: string, options: ReadOptions = {}): Promise<StoredMessage | undefined> {
    return readOne(this.#jsm, stream, { last_by_subj: subject }, options);
  }

  lastBySubjects(stream: string, subjects: readonly string[]): Promise<ReadonlyMap<string, StoredMessage>> {
    return readLast(this.#link, this.#jsm, stream, subjects);
  }

  bySequence(stream: string, sequence: number, options: ReadOptions = {}): Promise<StoredMessage | undefined> {
    return readOne(this.#jsm, stream, { seq: sequence }, options);
  }

  bySubjectFrom(stream: string, subject: string, startSequence: number, limit: number): Promise<StoredMessage[]> {
    return readFrom(this.#link, stream, subject, startSequence, limit);
  }

  async position(stream: string): Promise<StreamPosition> {
    // Whoever asks wants to know it now.
    if (!this.#link.connected()) throw shared.unavailable(`stream ${stream} can't be read while disconnected`);
    const { promise: lost, reject } = Promise.withResolvers<never>();
    const unfollow = this.#link.onChange(() => reject(shared.unavailable(`stream ${stream} can't be read`)));
    return Promise.race([positionOf(this.#jsm, stream), lost]).finally(unfollow);
  }

  ackFloor(stream: string, consumer: string): Promise<number | undefined> {
    return ackFloorOf(this.#jsm, stream, consumer);
  }

  follow(options: FollowOptions): Following {
    const follower = new Follower(this.#link, this.#jsm, options, () => this.#followers.delete(follower));
    this.#followers.add(follower);
    return follower;
  }

  signal(subject: string, data: Uint8Array): boolean {
    const { nc } = this.#link;
    if (!this.#link.connected() || nc.isDraining()) return false;
    nc.publish(subject, data);
    return true;
  }

  onSignal(subject: string, handler: (data: Uint8Array, subject: string) => void, queue?: string): () => void {
    const { log, nc } = this.#link;
    const subscription = nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        try {
          if (error !== null) throw error;
          handler(message.data, message.subject);
        } catch (thrown) {
          log.error({ err: thrown, subject }, "bus: a signal was not handled");
        }
      },
    });
    return () => subscription.unsubscribe();
  }

  async consume(options: ConsumeOptions): Promise<Consumption> {
    const { stream, consumer } = options;
    const spec = this.#specs.get(`${stream}/${consumer}`);
    if (spec === undefined) throw new TypeError(`ensureConsumer(${consumer}) comes before consume`);
    if (this.#dead === undefined) throw new TypeError("ensureStream(DeadLetterSchema) comes before consume");
    if (options.exclusive === true) await this.#jsm.consumers.reset(stream, consumer);
    const replay = new Replay(options, (from, sequence) => this.bySequence(from, sequence, { leader: true }));
    const again = replaySpec(stream, spec);
    await this.ensureConsumer(ReplayedLetterSchema, again);
    const running = this.#start(options, spec, this.#dead);
    const replaying = this.#start(replay.consumeOptions(), again, this.#dead, (message, why) =>
      replay.burialOf(message, why),
    );
    return {
      lag: () => running.lag(),
      held: () => running.held(),
      stop: async (drainMs) => void (await Promise.all([running.stop(drainMs), replaying.stop(drainMs)])),
    };
  }

  #start(
    options: ConsumeOptions,
    spec: ConsumerSpec,
    dead: DeclaredStream,
    burialOf?: ConsumeDependencies["burialOf"],
  ): Consumption {
    const consumption = new LaneConsumption(options, {
      link: this.#link,
      jsm: this.#jsm,
      dead,
      ackWaitMs: spec.ackWaitMs,
      maxDeliver: spec.maxDeliver,
      publish: (subject, data, publishOptions) => this.#window.publish(subject, data, publishOptions),
      recreate: () => ensureConsumer(this.#jsm, options.stream, spec),
      ...(burialOf === undefined ? {} : { burialOf }),
      onStopped: (stopped) => this.#consumptions.delete(stopped),
    });
    this.#consumptions.add(consumption);
    return consumption;
  }

  connected(): boolean {
    return this.#link.connected();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumptions, ...this.#followers].map((running) => running.stop()));
    this.#batches?.close();
    await this.#window.close(5000);
    await this.#link.close();
  }
}
