import { create, toBinary } from "@bufbuild/protobuf";
import { TailRecordSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { TailAddition, TailMember } from "../ports.ts";
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
  return [...byConversation].map(([conversationId, its]) => ({ conversationId, records: newest(its) }));
}

/** The newest first, as many as the tail may hold. */
function newest(entries: readonly WritableEntry[]): TailMember[] {
  const members: TailMember[] = [];
  let bytes = 0;
  for (const { row } of entries.toSorted((a, b) => Number(b.row.seq - a.row.seq)).slice(0, TAIL_RECORDS)) {
    const { record, streamSequence } = row;
    const encoded = toBinary(TailRecordSchema, create(TailRecordSchema, { record, streamSequence }));
    bytes += encoded.length;
    if (bytes > TAIL_BYTES) break;
    members.push({ seq: row.seq, encoded });
  }
  return members;
}
