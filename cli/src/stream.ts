import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Entry, LogStream, Note } from "./ports.ts";

/** Who writes the store: the name of its durable consumer. */
const WRITER = "persistence-writer";
/** Messages per read, 64 KiB each at most. */
const PAGE = 200;

/** The log's stream, for reading only. */
export function logStream(bus: Bus): LogStream {
  const stream = streamOf(LogEntrySchema);
  const subjectOf = (logId: string) =>
    logId.startsWith("u_")
      ? stream.subjectOf("user", { id: logId.slice(2) })
      : stream.subjectOf("conversation", { id: logId });
  return {
    range: (logId, from, to, note) =>
      streamedRecords(bus, stream.name, subjectOf(logId), { from, to, note, sequence: 1 }),
    behind: (logId, streamSequence, note) =>
      streamedRecords(bus, stream.name, subjectOf(logId), { note, sequence: Number(streamSequence) + 1 }),
    async lastSeq(logId) {
      const last = await bus.lastBySubject(stream.name, subjectOf(logId), { leader: true });
      return last === undefined ? 0n : (recordOf(last.data)?.seq ?? 0n);
    },
    async writtenUpTo() {
      return BigInt((await bus.ackFloor(stream.name, WRITER)) ?? 0);
    },
    follow(logId, moved) {
      const following = bus.follow({
        stream: stream.name,
        subject: subjectOf(logId),
        from: async ({ lastSequence }) => {
          // Whatever came while nobody followed is read by whoever is told.
          moved();
          return lastSequence + 1;
        },
        handle: moved,
      });
      return () => following.stop();
    },
  };
}

interface Range {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly note: Note;
  /** Where in the stream to begin. */
  readonly sequence: number;
}

async function* streamedRecords(bus: Bus, stream: string, subject: string, range: Range): AsyncGenerator<Entry> {
  const { from = 1n, to, note } = range;
  for (let next = range.sequence; ; ) {
    const found = await bus.bySubjectFrom(stream, subject, next, PAGE);
    for (const { data, sequence } of found) {
      const record = recordOf(data);
      if (record === undefined) note(`the stream has no log entry at sequence ${sequence}`);
      else if (to !== undefined && record.seq > to) return;
      else if (record.seq >= from) {
        yield { seq: record.seq, bytes: toBinary(RecordSchema, record), streamSequence: BigInt(sequence) };
      }
    }
    const last = found.at(-1);
    if (last === undefined || found.length < PAGE) return;
    next = last.sequence + 1;
  }
}

function recordOf(data: Uint8Array): LogRecord | undefined {
  try {
    return fromBinary(LogEntrySchema, data).record;
  } catch {
    return undefined;
  }
}
