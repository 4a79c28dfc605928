import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  StoredArchiveBlockSchema,
  StoredHeadSchema,
  StoredRecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { type MongoOptions, openMongo, reading } from "@oceanchat/runtime/mongo";
import type { Collection, Db, Filter } from "mongodb";
import { type BlockDocument, unpacked } from "./blocks.ts";
import type { Entry, Note, RecordStore, Tier } from "./ports.ts";

/** Seqs per read; a record has 64 KiB at most. */
const PAGE = 200n;

interface RecordDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly seq: bigint;
  readonly streamSequence: bigint;
  readonly record: Uint8Array;
}

interface HeadDocument {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
  readonly lastRecord: Uint8Array;
}

/** The message store, for reading only. */
export interface OpenedStore {
  readonly store: RecordStore;
  readonly archive: Tier;
  close(): Promise<void>;
}

/** Connects to the message store. */
export const openStore = (options: MongoOptions): Promise<OpenedStore> =>
  openMongo(options, (db) => ({ store: storeIn(db), archive: archiveIn(db) }));

function storeIn(db: Db): RecordStore {
  const records: Collection<RecordDocument> = db.collection(getOption(StoredRecordSchema, collection));
  const heads: Collection<HeadDocument> = db.collection(getOption(StoredHeadSchema, collection));
  return {
    range: (logId, from, to) => storedRecords(records, logId, from, to),
    async lastSeq(logId) {
      const last = { sort: { seq: -1 }, projection: { seq: 1 } } as const;
      return (await reading(() => records.findOne({ conversationId: logId }, last)))?.seq ?? 0n;
    },
    async head(logId) {
      return (await reading(() => heads.findOne({ _id: logId }))) ?? undefined;
    },
    async logIds(after, limit) {
      const found = heads
        .find({ _id: { $gt: after } }, { projection: { _id: 1 } })
        .sort({ _id: 1 })
        .limit(limit);
      return (await reading(() => found.toArray())).map(({ _id }) => _id);
    },
  };
}

async function* storedRecords(
  records: Collection<RecordDocument>,
  logId: string,
  from: bigint,
  to: bigint,
): AsyncGenerator<Entry> {
  for (let next: bigint | undefined = from; next !== undefined && next <= to; ) {
    const last: bigint = next + PAGE - 1n < to ? next + PAGE - 1n : to;
    // A page is a range of seqs, not a number of records: a store may read all of a range before it sorts and cuts.
    const page: Filter<RecordDocument> = { conversationId: logId, seq: { $gte: next, $lte: last } };
    const fields = { projection: { seq: 1, streamSequence: 1, record: 1 } } as const;
    const found: RecordDocument[] = await reading(() => records.find(page, fields).sort({ seq: 1 }).toArray());
    for (const { _id: key, seq, streamSequence, record: bytes } of found) yield { key, seq, streamSequence, bytes };
    next = found.length > 0 ? last + 1n : await seqBehind(records, logId, last, to);
  }
}

/** The next seq that is stored, behind an empty page. */
async function seqBehind(records: Collection<RecordDocument>, logId: string, seq: bigint, to: bigint) {
  const behind = { conversationId: logId, seq: { $gt: seq, $lte: to } };
  const first = { sort: { seq: 1 }, projection: { _id: 0, seq: 1 } } as const;
  return (await reading(() => records.findOne(behind, first)))?.seq;
}

function archiveIn(db: Db): Tier {
  const blocks: Collection<BlockDocument> = db.collection(getOption(StoredArchiveBlockSchema, collection));
  return {
    range: (logId, from, to, note) => archivedRecords(blocks, logId, from, to, note),
    async lastSeq(logId) {
      const last = { sort: { toSeq: -1 }, projection: { toSeq: 1 } } as const;
      return (await reading(() => blocks.findOne({ conversationId: logId }, last)))?.toSeq ?? 0n;
    },
  };
}

/** One block at a time. */
async function* archivedRecords(
  blocks: Collection<BlockDocument>,
  logId: string,
  from: bigint,
  to: bigint,
  note: Note,
): AsyncGenerator<Entry> {
  for (let next = from; ; ) {
    const behind = { conversationId: logId, toSeq: { $gte: next } };
    // Blocks follow each other: mostly the next one's key is known.
    const block =
      (await reading(() => blocks.findOne({ _id: `${logId}:${next}` }))) ??
      (await reading(() => blocks.findOne(behind, { sort: { toSeq: 1 } })));
    if (block === null || block.fromSeq > to) return;
    next = block.toSeq + 1n;
    for (const entry of unpacked(block, note)) if (entry.seq >= from && entry.seq <= to) yield entry;
  }
}
