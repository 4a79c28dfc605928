import { fromBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Bus, PublishError, type StoredMessage } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Logger } from "pino";
import { within } from "./deadline.ts";
import type { LoggedRecord, LogStream } from "./ports.ts";

/** The log's stream over the bus. */
export function openLogStream(bus: Bus, log: Logger): LogStream {
  const note = failureLog(log);
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
    publish(logId, entry, { messageId, expectedStreamSequence, timeoutMs, traceparent }) {
      const published = bus.publish(subjectOf(logId), entry, {
        expectStream: stream.name,
        messageId,
        expectLastSubjectSequence: expectedStreamSequence,
        timeoutMs,
        traceparent,
      });
      published.catch(note);
      return published;
    },
  };
}

/** Says once a second at most what goes wrong with publishes: the callers' errors don't carry it. */
function failureLog(log: Logger): (error: unknown) => void {
  let quietUntil = 0;
  let unsaid = 0;
  return (error) => {
    if (error instanceof PublishError && error.kind === "conflict") return;
    if (performance.now() < quietUntil) {
      unsaid++;
      return;
    }
    quietUntil = performance.now() + 1000;
    log.warn({ err: error, unsaid }, "a record was not appended at once");
    unsaid = 0;
  };
}

function loggedRecord({ data, sequence, messageId }: StoredMessage): LoggedRecord {
  const { record } = fromBinary(LogEntrySchema, data);
  if (record === undefined) throw new TypeError(`the log holds an entry without a record at ${sequence}`);
  return { record, streamSequence: sequence, messageId: messageId ?? "" };
}
