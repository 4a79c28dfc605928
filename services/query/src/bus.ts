import { fromBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, StoredMessage } from "@oceanchat/runtime/bus-types";
import { shared } from "@oceanchat/runtime/fail";
import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { streamOf } from "@oceanchat/runtime/streams";
import type { PlacedRecord, RecordLog } from "./ports.ts";

/** How questions for the ends of logs are joined over all calls under way. */
const JOINED = { atOnce: 2, maxKeys: 500, timeoutMs: 10_000 };

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
    lastOf: joinedLookups(async (conversationIds) => {
      const found = await bus.lastBySubjects(name, conversationIds.map(subject));
      return new Map(
        conversationIds.flatMap((conversationId): [string, PlacedRecord][] => {
          const message = found.get(subject(conversationId));
          return message === undefined ? [] : [[conversationId, placed(message)]];
        }),
      );
    }, JOINED),
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
