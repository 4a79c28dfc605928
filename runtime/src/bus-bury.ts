import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type DeadLetter, DeadLetterSchema } from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { type Delivered, PublishError, type Published, type PublishOptions } from "./bus-types.ts";
import type { DeclaredStream } from "./streams.ts";

const MAX_REASON = 1000;

/** Where a message came from that is given up. */
export type Origin = Pick<DeadLetter, "stream" | "consumer" | "subject" | "sequence" | "deliveries" | "payload">;

/** A letter to the dead and the id that makes sure that there is only one of it. */
export interface Burial {
  readonly letter: DeadLetter;
  readonly messageId: string;
}

/** The letter for a message that a consumer gives up. */
export function burialOf({ stream, consumer }: { stream: string; consumer: string }, message: Delivered, why: string) {
  const { subject, sequence, deliveries, data: payload } = message;
  const origin = { stream, consumer, subject, sequence: BigInt(sequence), deliveries, payload };
  return { letter: letterOf(origin, why), messageId: `${stream}:${sequence}:${consumer}` } satisfies Burial;
}

/** A letter that says why. */
export function letterOf(
  { stream, consumer, subject, sequence, deliveries, payload }: Origin,
  why: string,
): DeadLetter {
  return create(DeadLetterSchema, {
    stream,
    consumer,
    subject,
    sequence,
    deliveries,
    payload,
    reason: why.slice(0, MAX_REASON),
    deadTime: timestampFromMs(Date.now()),
  });
}

/** Publishes the letter; rejects when that can't be done now. */
export async function bury(
  { letter, messageId }: Burial,
  dead: DeclaredStream,
  traceparent: string,
  publish: (subject: string, data: Uint8Array, options: PublishOptions) => Promise<Published>,
): Promise<void> {
  const subject = dead.subjectOf("letter", { stream: letter.stream });
  const options = { expectStream: dead.name, messageId, traceparent };
  try {
    await publish(subject, toBinary(DeadLetterSchema, letter), options);
  } catch (error) {
    if (!(error instanceof PublishError) || error.kind !== "refused" || letter.payload.length === 0) throw error;
    // Too large with its envelope: where it came from and why is worth keeping without the payload.
    letter.reason = `${letter.reason} (payload of ${letter.payload.length} bytes dropped: ${error.message})`;
    letter.payload = new Uint8Array();
    await publish(subject, toBinary(DeadLetterSchema, letter), options);
  }
}
