import { toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { textEntry } from "./text-records.ts";

const IN_FLIGHT = 256;
const ANSWER_MS = 30_000;

/** Which records: the n-th of all, spread evenly over conversations. */
export interface Filling {
  readonly from: number;
  readonly count: number;
  readonly conversations: number;
  textOf(n: number): string;
}

/** Puts records into the log. */
export async function fillLog(bus: Bus, { from, count, conversations, textOf }: Filling): Promise<void> {
  const stream = streamOf(LogEntrySchema);
  const publish = (n: number) => {
    const entry = textEntry(n, n % conversations, Math.floor(n / conversations) + 1, textOf(n));
    const id = entry.record?.conversationId ?? "";
    const options = { expectStream: stream.name, messageId: `bench:${n}`, timeoutMs: ANSWER_MS };
    return bus.publish(stream.subjectOf("conversation", { id }), toBinary(LogEntrySchema, entry), options);
  };
  for (let done = 0; done < count; done += IN_FLIGHT) {
    const some = Math.min(IN_FLIGHT, count - done);
    await Promise.all(Array.from({ length: some }, (_, index) => publish(from + done + index)));
  }
}
