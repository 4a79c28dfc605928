import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { RecordRow, TailAddition, TailMember } from "../ports.ts";
import type { WritableEntry } from "./entry.ts";

/** How many records of a conversation the tail holds at most. */
export const TAIL_RECORDS = 100;
/** And how many bytes. */
export const TAIL_BYTES = 128 * 1024;

/**
 * The newest records of each conversation of a batch. Users' own logs have no tail: a device reads its own once, from where
 * it stood, and mostly there is one reader for each record.
 */
export function additionsOf(entries: readonly WritableEntry[]): TailAddition[] {
  const byConversation = new Map<string, WritableEntry[]>();
  for (const entry of entries) {
    const { conversationId } = entry.row;
    if (conversationId.startsWith("u_")) continue;
    const known = byConversation.get(conversationId);
    if (known === undefined) byConversation.set(conversationId, [entry]);
    else known.push(entry);
  }
  const writer = new BinaryWriter();
  return [...byConversation].map(([conversationId, its]) => ({ conversationId, records: newest(its, writer) }));
}

/** The newest first, as many as the tail may hold. */
function newest(entries: readonly WritableEntry[], writer: BinaryWriter): TailMember[] {
  const members: TailMember[] = [];
  let bytes = 0;
  for (const { row } of entries.toSorted((a, b) => Number(b.row.seq - a.row.seq)).slice(0, TAIL_RECORDS)) {
    const encoded = encode(row, writer);
    bytes += encoded.length;
    if (bytes > TAIL_BYTES) break;
    members.push({ seq: row.seq, encoded });
  }
  return members;
}

const { record: recordField, streamSequence: sequenceField } = TailRecordSchema.field;

/** A `TailRecord`. By hand, with a writer that keeps its memory: through the schema it costs as much as the insert of the record. */
function encode({ record, streamSequence }: RecordRow, writer: BinaryWriter): Uint8Array {
  writer.tag(recordField.number, WireType.LengthDelimited).bytes(record);
  return writer.tag(sequenceField.number, WireType.Varint).uint64(streamSequence).finish();
}
