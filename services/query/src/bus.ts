import { fromBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, StoredMessage } from "@oceanchat/runtime/bus-types";
import { shared } from "@oceanchat/runtime/fail";
import { streamOf } from "@oceanchat/runtime/streams";
import type { PlacedRecord, RecordLog } from "./ports.ts";

/** Reads records from the log stream. */
export function openLog(bus: Bus): RecordLog {
  const stream = streamOf(LogEntrySchema);
  const { name } = stream;
  const subject = (logId: string) =>
    logId.startsWith("u_")
      ? stream.subjectOf("user", { id: logId.slice(2) })
      : stream.subjectOf("conversation", { id: logId });
  return {
    async last(conversationId) {
      // A stale answer would hide records that somebody has seen already: ask the leader.
      const message = await bus.lastBySubject(name, subject(conversationId), { leader: true });
      return message === undefined ? undefined : placed(message);
    },
    async lastOf(conversationIds) {
      const found = await bus.lastBySubjects(name, conversationIds.map(subject));
      return new Map(
        conversationIds.flatMap((conversationId): [string, PlacedRecord][] => {
          const message = found.get(subject(conversationId));
          return message === undefined ? [] : [[conversationId, placed(message)]];
        }),
      );
    },
    async from(conversationId, streamSequence, limit) {
      return (await bus.bySubjectFrom(name, subject(conversationId), streamSequence, limit)).map(placed);
    },
  };
}

function placed({ data, sequence }: StoredMessage): PlacedRecord {
  const { record } = fromBinary(LogEntrySchema, data);
  if (record === undefined) throw shared.internal(new Error(`log entry ${sequence} has no record`));
  return { record, streamSequence: sequence };
}
