import assert from "node:assert/strict";
import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { fromBinary, getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import {
  ArchivedRecordsSchema,
  StoredArchiveBlockSchema,
  StoredRecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import type { Binary, Db } from "mongodb";
import { type ArchiveReport, type ArchiveRequest, type ArchiveRules, archive } from "../../src/core/archive.ts";
import type { ArchiveStore } from "../../src/ports.ts";

const unpack = promisify(zstdDecompress);
const bytesOf = (data: Uint8Array | Binary) => (data instanceof Uint8Array ? data : data.buffer);

/** Small blocks, so that tests need few records. */
export const RULES: ArchiveRules = { minRecords: 5, maxRecords: 20, maxBytes: 1 << 20, trimAfterMs: 60_000, page: 2 };

/** A run that is never too long, at a time in milliseconds. */
export function run(
  store: ArchiveStore,
  request: Partial<ArchiveRequest> & { readonly atMs: number },
  rules: ArchiveRules = RULES,
): Promise<ArchiveReport> {
  const { atMs, ...rest } = request;
  return archive(store, rules, {
    before: atMs,
    conversationId: undefined,
    after: undefined,
    now: () => atMs,
    isOver: () => false,
    onConflict: (error) => assert.fail(error),
    pause: async () => undefined,
    ...rest,
  });
}

/** Which record lies at each seq, as far as `records` says. */
export async function inRecords(db: Db, conversationId: string): Promise<Map<bigint, string>> {
  const found = await db.collection(getOption(StoredRecordSchema, collection)).find({ conversationId }).toArray();
  return new Map(found.map(({ seq, recordId }) => [seq, recordId]));
}

/** The same of the blocks; fails when they overlap, leave a hole or say something else of themselves. */
export async function inBlocks(db: Db, conversationId: string): Promise<Map<bigint, string>> {
  const blocks = db.collection(getOption(StoredArchiveBlockSchema, collection));
  const found = new Map<bigint, string>();
  for (const block of await blocks.find({ conversationId }).sort({ fromSeq: 1 }).toArray()) {
    const { records } = fromBinary(ArchivedRecordsSchema, await unpack(bytesOf(block.data)));
    const read = records.map(({ record }) => fromBinary(RecordSchema, record));
    const [first, last] = [read[0]?.seq, read.at(-1)?.seq];
    if (block.fromSeq !== BigInt(found.size + 1)) throw new Error(`block ${block._id} doesn't follow ${found.size}`);
    if (first !== block.fromSeq || last !== block.toSeq)
      throw new Error(`block ${block._id} holds ${first} to ${last}`);
    for (const { seq, recordId } of read) {
      if (seq !== BigInt(found.size + 1)) throw new Error(`${seq} doesn't follow ${found.size}`);
      found.set(seq, recordId);
    }
  }
  return found;
}
