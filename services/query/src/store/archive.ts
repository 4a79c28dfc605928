import { promisify } from "node:util";
import { zstdDecompress } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { ArchivedRecordsSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { PlacedRecord, RecordStore } from "../ports.ts";

export interface ArchiveBlockDocument extends Document {
  readonly _id: string;
  readonly conversationId: string;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  readonly data: Uint8Array;
}

/** What of the store is read from `records`, and from the archive where they are no longer there. */
export type RecordReads = Pick<RecordStore, "range" | "streamSequenceBefore" | "storedSeqs">;

/** Blocks that are kept unpacked: a page is mostly followed by its neighbour. About 1 MiB each at most. */
const BLOCKS_KEPT = 16;
const unpack = promisify(zstdDecompress);

/**
 * Reads the archive where `records` lacks the first records that are asked for. It is asked second: what was removed between the
 * two reads lies in a block since long before.
 */
export function archivedToo(recent: RecordReads, blocks: Collection<ArchiveBlockDocument>): RecordReads {
  const archive = new ArchiveReader(blocks);
  return {
    async range(conversationId, fromSeq, toSeq) {
      const found = await recent.range(conversationId, fromSeq, toSeq);
      const first = found[0]?.record.seq ?? toSeq + 1n;
      if (first <= fromSeq) return found;
      const older = await archive.range(conversationId, fromSeq, first - 1n);
      return older.length === 0 ? found : [...older, ...found];
    },
    async storedSeqs(conversationId, fromSeq, toSeq) {
      const found = await recent.storedSeqs(conversationId, fromSeq, toSeq);
      const first = found[0] ?? toSeq + 1n;
      if (first <= fromSeq) return found;
      const end = await archive.end(conversationId);
      const last = end < first ? end : first - 1n;
      return [...seqsFrom(fromSeq, last), ...found];
    },
    async streamSequenceBefore(conversationId, seq) {
      const found = await recent.streamSequenceBefore(conversationId, seq);
      if (found !== undefined) return found;
      const end = await archive.end(conversationId);
      const last = end < seq ? end : seq - 1n;
      return (await archive.range(conversationId, last, last))[0]?.streamSequence;
    },
  };
}

class ArchiveReader {
  readonly #blocks: Collection<ArchiveBlockDocument>;
  readonly #unpacked = new Map<string, Promise<readonly PlacedRecord[]>>();

  constructor(blocks: Collection<ArchiveBlockDocument>) {
    this.#blocks = blocks;
  }

  /** The records from one seq to another that are archived, in order. */
  async range(conversationId: string, fromSeq: bigint, toSeq: bigint): Promise<readonly PlacedRecord[]> {
    if (fromSeq > toSeq) return [];
    // Blocks follow each other without a hole: those that end in the stretch, and the one in which it ends.
    const overlapping = { conversationId, toSeq: { $gte: fromSeq }, fromSeq: { $lte: toSeq } };
    const projection = { toSeq: 1 };
    const found = await reading(() => this.#blocks.find(overlapping, { projection }).sort({ toSeq: 1 }).toArray());
    const parts = await Promise.all(found.map(({ _id }) => this.#recordsOf(_id)));
    return parts.flat().filter(({ record: { seq } }) => seq >= fromSeq && seq <= toSeq);
  }

  /** The last record that is archived; 0 when none is. */
  async end(conversationId: string): Promise<bigint> {
    const options = { sort: { toSeq: -1 }, projection: { toSeq: 1 } } as const;
    return (await reading(() => this.#blocks.findOne({ conversationId }, options)))?.toSeq ?? 0n;
  }

  /** Blocks never change: the one used longest ago is forgotten first. */
  #recordsOf(id: string): Promise<readonly PlacedRecord[]> {
    const records = this.#unpacked.get(id) ?? this.#read(id);
    this.#unpacked.delete(id);
    this.#unpacked.set(id, records);
    const [oldest] = this.#unpacked.keys();
    if (oldest !== undefined && this.#unpacked.size > BLOCKS_KEPT) this.#unpacked.delete(oldest);
    // What could not be read is read again next time; who waits for it hears why.
    records.catch(() => this.#unpacked.delete(id));
    return records;
  }

  async #read(id: string): Promise<readonly PlacedRecord[]> {
    const block = await reading(() => this.#blocks.findOne({ _id: id }, { projection: { data: 1 } }));
    if (block === null) return [];
    const { records } = fromBinary(ArchivedRecordsSchema, await unpack(block.data));
    return records.map(({ record, streamSequence }) => ({
      record: fromBinary(RecordSchema, record),
      streamSequence: Number(streamSequence),
    }));
  }
}

function* seqsFrom(fromSeq: bigint, toSeq: bigint): Generator<bigint> {
  for (let seq = fromSeq; seq <= toSeq; seq++) yield seq;
}
