import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { type Record, RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ArchivedRecordsSchema, StoredArchiveBlockSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Collection, Db, Filter } from "mongodb";

interface BlockDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  readonly toTime: Date;
  readonly data: Uint8Array;
}

/** Old records, which persistence-writer has moved into blocks. */
export interface Archive {
  record(logId: string, recordId: string): Promise<Record | undefined>;
  at(logId: string, seq: bigint): Promise<Record | undefined>;
}

const unpack = promisify(zstdDecompress);
/** By how much a record may be accepted later than its id was made. */
const LATER_MS = 120_000;
/** What is younger is never moved. */
const YOUNGEST_MS = 7 * 86_400_000;
/** Blocks that so much time may reach over; they are of a hundred records at least. */
const BLOCKS = 4;

/** Reads the archive: rarely, when somebody changes, answers or forwards a message of long ago. */
export function archiveIn(db: Db): Archive {
  const blocks: Collection<BlockDocument> = db.collection(getOption(StoredArchiveBlockSchema, collection));
  return {
    at: (conversationId, seq) =>
      look(blocks, { conversationId, toSeq: { $gte: seq }, fromSeq: { $lte: seq } }, { toSeq: 1 }, (record) => {
        return record.seq === seq;
      }),
    async record(conversationId, recordId) {
      const from = new Date(Number.parseInt(recordId.replaceAll("-", "").slice(0, 12), 16));
      // Most that isn't in the store yet is too young to be in the archive.
      if (Date.now() - from.getTime() < YOUNGEST_MS) return undefined;
      const fromTime = { $lte: new Date(from.getTime() + LATER_MS) };
      return look(blocks, { conversationId, toTime: { $gte: from }, fromTime }, { toTime: 1 }, (record) => {
        return record.recordId === recordId;
      });
    },
  };
}

async function look(
  blocks: Collection<BlockDocument>,
  filter: Filter<BlockDocument>,
  sort: { readonly toSeq: 1 } | { readonly toTime: 1 },
  wanted: (record: Record) => boolean,
): Promise<Record | undefined> {
  const found = blocks
    .find(filter, { projection: { data: 1 } })
    .sort(sort)
    .limit(BLOCKS)
    .batchSize(1);
  for await (const { data } of found) {
    for (const { record } of fromBinary(ArchivedRecordsSchema, await unpack(data)).records) {
      const decoded = fromBinary(RecordSchema, record);
      if (wanted(decoded)) return decoded;
    }
  }
  return undefined;
}
