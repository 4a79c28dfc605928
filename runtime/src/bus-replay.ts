import { fromBinary } from "@bufbuild/protobuf";
import {
  type DeadLetter,
  type ReplayedLetter,
  ReplayedLetterSchema,
} from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { type Burial, letterOf } from "./bus-bury.ts";
import type { ConsumeOptions, ConsumerSpec, Delivered, Outcome, StoredMessage } from "./bus-types.ts";
import { type DeclaredStream, streamOf } from "./streams.ts";

/** Letters are handled one by one, those of different subjects beside each other. */
const LANES = 2;
/** A letter has up to 1 MiB. */
const MAX_IN_FLIGHT = 16;
/** Over all processes. */
const MAX_ACK_PENDING = 256;

/** The durable consumer of the stream REPLAY that takes back what a consumer has given up. */
export const replayConsumerOf = (stream: string, consumer: string): string => `${stream}-${consumer}`;

/** The consumer that takes back what this one has given up, under the same rules. */
export function replaySpec(stream: string, { name, ackWaitMs, maxDeliver }: ConsumerSpec): ConsumerSpec {
  return {
    name: replayConsumerOf(stream, name),
    filterSubjects: [streamOf(ReplayedLetterSchema).subjectOf("consumer", { stream, consumer: name })],
    ackWaitMs,
    maxAckPending: MAX_ACK_PENDING,
    maxDeliver,
  };
}

/** Reads the message at a sequence of a stream. */
type ReadOriginal = (stream: string, sequence: number) => Promise<StoredMessage | undefined>;

/**
 * Gives letters that come back to the handler of the consumer that gave them up, each by itself, as the messages that they
 * were. In lanes of their own: one that fails again and again keeps nothing waiting but letters of its subject.
 */
export class Replay {
  readonly #options: ConsumeOptions;
  readonly #read: ReadOriginal;
  readonly #stream: DeclaredStream = streamOf(ReplayedLetterSchema);
  /** By what REPLAY delivered: the message as it was. */
  readonly #messages = new WeakMap<Delivered, Delivered>();

  constructor(options: ConsumeOptions, read: ReadOriginal) {
    this.#options = options;
    this.#read = read;
  }

  /** How the stream REPLAY is consumed. */
  consumeOptions(): ConsumeOptions {
    const { stream, consumer, retryDelayMs, poison } = this.#options;
    return {
      stream: this.#stream.name,
      consumer: replayConsumerOf(stream, consumer),
      lanes: LANES,
      laneOf: ({ data }) => letterIn(data).subject,
      maxBatch: 1,
      maxInFlight: MAX_IN_FLIGHT,
      handle: (batch) => this.#handle(batch),
      ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
      poison: (message, error) => poison?.(this.#messages.get(message) ?? message, error),
    };
  }

  /** The letter for one that was given up once more; undefined for what never was a letter. */
  burialOf(message: Delivered, why: string): Burial | undefined {
    let letter: DeadLetter;
    try {
      letter = letterIn(message.data);
    } catch {
      return undefined;
    }
    const { stream, consumer, sequence } = letter;
    const deliveries = letter.deliveries + message.deliveries;
    // Each return has an end of its own: it must not pass for the first one.
    const messageId = `${stream}:${sequence}:${consumer}:${message.sequence}`;
    return { letter: letterOf({ ...letter, deliveries }, why), messageId };
  }

  async #handle(batch: readonly Delivered[]): Promise<readonly Outcome[]> {
    const [message] = batch;
    if (message === undefined) return [];
    const letter = letterIn(message.data);
    const original = await this.#original(letter);
    if (original === undefined && letter.payload.length === 0) return [{ dead: `${letter.reason}; it is gone by now` }];
    const again = new ReplayedMessage(message, letter, original);
    this.#messages.set(message, again);
    return (await this.#options.handle([again])) ?? ["ack"];
  }

  /** What the stream still has of it: its id and headers are not in the letter. */
  async #original({ stream, subject, sequence, payload }: DeadLetter): Promise<StoredMessage | undefined> {
    const found = await this.#read(stream, Number(sequence));
    // A stream that was made anew has something else there.
    if (found === undefined || found.subject !== subject) return undefined;
    return payload.length === 0 || Buffer.compare(found.data, payload) === 0 ? found : undefined;
  }
}

/** The letter; throws for what is none. */
function letterIn(data: Uint8Array): DeadLetter {
  const { letter }: ReplayedLetter = fromBinary(ReplayedLetterSchema, data);
  if (letter === undefined || letter.stream === "" || letter.consumer === "") throw new TypeError("no letter");
  return letter;
}

/** A dead message as it was delivered, as far as that is known. */
class ReplayedMessage implements Delivered {
  readonly #message: Delivered;
  readonly #letter: DeadLetter;
  readonly #original: StoredMessage | undefined;

  constructor(message: Delivered, letter: DeadLetter, original: StoredMessage | undefined) {
    this.#message = message;
    this.#letter = letter;
    this.#original = original;
  }

  get sequence(): number {
    return Number(this.#letter.sequence);
  }

  get subject(): string {
    return this.#letter.subject;
  }

  get data(): Uint8Array {
    return this.#original?.data ?? this.#letter.payload;
  }

  /** When the message was stored; when its return was, where that isn't known any more. */
  get time(): Date {
    return this.#original?.time ?? this.#message.time;
  }

  get messageId(): string | undefined {
    return this.#original?.messageId;
  }

  get traceparent(): string {
    return this.#original?.traceparent ?? this.#message.traceparent;
  }

  get deliveries(): number {
    return this.#message.deliveries;
  }

  get attempts(): number {
    return this.#message.attempts;
  }

  header(name: string): string | undefined {
    return this.#original?.header(name);
  }
}
