import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DeadLetter,
  DeadLetterSchema,
  ReplayedLetterSchema,
} from "@oceanchat/gen/oceanchat/errors/v1/dead_letter_pb";
import { replayConsumerOf } from "@oceanchat/runtime/bus-replay";
import type { Bus, StoredMessage } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { DeadLetters, PlacedLetter } from "./ports.ts";

/** Letters per read, 1 MiB each at most; the server cuts a read at 8 MiB. */
const PAGE = 100;

/** The streams DEAD and REPLAY. */
export function deadLetters(bus: Bus): DeadLetters {
  const dead = streamOf(DeadLetterSchema);
  const replay = streamOf(ReplayedLetterSchema);
  return {
    async *from(sequence, stream) {
      const filter = dead.filterOf("letter", stream === undefined ? {} : { stream });
      for (let next = Number(sequence); ; ) {
        const found = await bus.bySubjectFrom(dead.name, filter, next, PAGE);
        yield* found.map(placed);
        const last = found.at(-1);
        if (last === undefined || found.length < PAGE) return;
        next = last.sequence + 1;
      }
    },
    async at(sequence) {
      const found = await bus.bySequence(dead.name, Number(sequence), { leader: true });
      return found === undefined ? undefined : placed(found);
    },
    async isTaken(stream, consumer) {
      return (await bus.ackFloor(replay.name, replayConsumerOf(stream, consumer))) !== undefined;
    },
    async giveBack(sequence, letter) {
      const { stream, consumer } = letter;
      const bytes = toBinary(ReplayedLetterSchema, create(ReplayedLetterSchema, { letter, deadSequence: sequence }));
      const { duplicate } = await bus.publish(replay.subjectOf("consumer", { stream, consumer }), bytes, {
        expectStream: replay.name,
        messageId: String(sequence),
      });
      return !duplicate;
    },
  };
}

function placed({ sequence, data }: StoredMessage): PlacedLetter {
  return { sequence: BigInt(sequence), letter: letterOf(data) };
}

function letterOf(data: Uint8Array): DeadLetter | undefined {
  try {
    return fromBinary(DeadLetterSchema, data);
  } catch {
    return undefined;
  }
}
