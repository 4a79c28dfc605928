import { zstdDecompressSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { type ArchivedRecord, ArchivedRecordsSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { decoded } from "./log/record.ts";
import type { Entry, Note } from "./ports.ts";

/** More than the largest block unpacks to; a damaged one must not fill the memory. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/** A `StoredArchiveBlock`. */
export interface BlockDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  readonly messageCount: number | bigint;
  readonly data: Uint8Array;
}

/** The records of a block, as many as can be read; says what is wrong with it. */
export function unpacked(block: BlockDocument, note: Note): Entry[] {
  const name = `the archive's block ${block._id}`;
  let records: readonly ArchivedRecord[];
  try {
    const plain = zstdDecompressSync(block.data, { maxOutputLength: MAX_UNPACKED_BYTES });
    records = fromBinary(ArchivedRecordsSchema, plain).records;
  } catch (error) {
    note(`${name} can't be unpacked: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
  const entries: Entry[] = [];
  let messages = 0;
  for (const [index, { record: bytes, streamSequence }] of records.entries()) {
    const record = decoded(bytes);
    const expected = block.fromSeq + BigInt(index);
    if (record?.seq !== expected) note(`${name} has ${record?.seq ?? "no record"} in the place of seq ${expected}`);
    if (record?.body.case === "message") messages++;
    entries.push({ seq: expected, bytes, streamSequence });
  }
  const last = block.fromSeq + BigInt(records.length) - 1n;
  if (last !== block.toSeq) note(`${name} ends with seq ${last}, not ${block.toSeq}`);
  if (messages !== Number(block.messageCount)) note(`${name} has ${messages} messages, not ${block.messageCount}`);
  return entries;
}
