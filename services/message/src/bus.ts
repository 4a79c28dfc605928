import { fromBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import type { Bus, StoredMessage } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import { within } from "./deadline.ts";
import type { LoggedRecord, LogStream } from "./ports.ts";

/** The log's stream over the bus. */
export function openLogStream(bus: Bus): LogStream {
  const stream = streamOf(LogEntrySchema);
  // What was just stored must not be missing: a replica may be behind the leader.
  const newest = { leader: true } as const;
  const subjectOf = (logId: string) =>
    logId.startsWith("u_")
      ? stream.subjectOf("user", { id: logId.slice(2) })
      : stream.subjectOf("conversation", { id: logId });
  return {
    async last(logId, timeoutMs) {
      const found = await within(timeoutMs, "the log", bus.lastBySubject(stream.name, subjectOf(logId), newest));
      return found === undefined ? undefined : loggedRecord(found);
    },
    async at(streamSequence, timeoutMs) {
      const found = await within(timeoutMs, "the log", bus.bySequence(stream.name, streamSequence, newest));
      return found === undefined ? undefined : loggedRecord(found);
    },
    async from(logId, streamSequence, limit, timeoutMs) {
      const subject = subjectOf(logId);
      const found = await within(timeoutMs, "the log", bus.bySubjectFrom(stream.name, subject, streamSequence, limit));
      return found.map(loggedRecord);
    },
    publish: (logId, entry, { messageId, expectedStreamSequence, timeoutMs, traceparent }) =>
      bus.publish(subjectOf(logId), entry, {
        expectStream: stream.name,
        messageId,
        expectLastSubjectSequence: expectedStreamSequence,
        timeoutMs,
        traceparent,
      }),
  };
}

function loggedRecord({ data, sequence, messageId }: StoredMessage): LoggedRecord {
  const { record } = fromBinary(LogEntrySchema, data);
  if (record === undefined) throw new TypeError(`the log holds an entry without a record at ${sequence}`);
  return { record, streamSequence: sequence, messageId: messageId ?? "" };
}
