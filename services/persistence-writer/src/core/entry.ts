import { toBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { LogEntry } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { RecordRow } from "../ports.ts";

/** Where an entry of the log lies, and the id that it was published with. */
export interface Delivery {
  readonly streamSequence: bigint;
  /** Its `Nats-Msg-Id`. */
  readonly messageId: string | undefined;
}

/** An entry of the log that can be stored. */
export interface WritableEntry {
  readonly row: RecordRow;
  readonly record: LogRecord;
  /** The two users of a direct conversation; empty otherwise. */
  readonly directUserIds: readonly string[];
  /** The `Nats-Msg-Id` that it was published with. */
  readonly messageId: string | undefined;
}

/** What the store keeps of a log entry; throws a TypeError for one that can't be stored. */
export function writableEntry({ record, audience }: LogEntry, { streamSequence, messageId }: Delivery): WritableEntry {
  if (record === undefined) throw new TypeError("no record");
  const { conversationId, seq, recordId, senderUserId, acceptedTime, body } = record;
  if (conversationId === "" || recordId === "" || seq === 0n) throw new TypeError("a record without id or seq");
  if (acceptedTime === undefined) throw new TypeError("a record without a time");
  const message = body.case === "message" ? body.value : undefined;
  return {
    row: {
      recordId,
      conversationId,
      seq,
      senderUserId,
      clientMessageId: message?.clientMessageId || undefined,
      // A body that this version doesn't know yet is kept all the same, inside the encoded record.
      kind: body.case ?? "unknown",
      streamSequence,
      acceptedTime: timestampDate(acceptedTime),
      record: toBinary(RecordSchema, record),
      mentions: message?.mentions ?? [],
      mentionsAll: message?.mentionsAll ?? false,
    },
    record,
    directUserIds: audience.case === "direct" ? audience.value.userIds : [],
    messageId,
  };
}
