import { toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type LogEntry, LogEntrySchema } from "@oceanchat/gen/oceanchat/records/v1/log_pb";
import { type Record as LogRecord, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import type { RecordRow } from "../ports.ts";

/** Where an entry of the log lies, and the id that it was published with. */
export interface Delivery {
  readonly streamSequence: bigint;
  /** Its `Nats-Msg-Id`. */
  readonly messageId: string | undefined;
  /** The whole entry as it was published; without it the record is encoded again. */
  readonly encoded?: Uint8Array;
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
export function writableEntry({ record, audience }: LogEntry, delivery: Delivery): WritableEntry {
  const { streamSequence, messageId, encoded } = delivery;
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
      record: (encoded && recordIn(encoded)) ?? toBinary(RecordSchema, record),
      mentions: message?.mentions ?? [],
      mentionsAll: message?.mentionsAll ?? false,
    },
    record,
    directUserIds: audience.case === "direct" ? audience.value.userIds : [],
    messageId,
  };
}

/** The bytes of the record inside an encoded entry; nothing when it is there in parts, which no service of ours writes. */
function recordIn(encoded: Uint8Array): Uint8Array | undefined {
  const reader = new BinaryReader(encoded);
  let found: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field !== LogEntrySchema.field.record.number || wireType !== WireType.LengthDelimited) reader.skip(wireType);
    else if (found !== undefined) return undefined;
    else found = reader.bytes();
  }
  return found;
}
