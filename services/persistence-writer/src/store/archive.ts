import { isDeepStrictEqual, promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { create, fromBinary, getOption, toBinary } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import {
  type ArchivedRecord,
  ArchivedRecordsSchema,
  StoredArchiveBlockSchema,
  StoredHeadSchema,
  StoredRecordSchema,
} from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { isDuplicate, reading, writing } from "@oceanchat/runtime/mongo";
import { type Binary, BSON, type Collection, type Db } from "mongodb";
import { ArchiveConflictError } from "../errors.ts";
import type { ArchivableRecord, ArchiveBlock, ArchiveProgress, ArchiveStore } from "../ports.ts";

interface HeadDocument {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly archivedSeq?: bigint;
  readonly archivedTime?: Date;
  readonly trimmedSeq?: bigint;
}

interface RecordDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly seq: bigint;
  readonly kind: string;
  readonly streamSequence: bigint;
  readonly acceptedTime: Date;
  readonly record: Uint8Array | Binary;
}

interface BlockDocument {
  readonly _id: string;
  readonly conversationId: string;
  readonly fromSeq: bigint;
  readonly toSeq: bigint;
  readonly fromTime: Date;
  readonly toTime: Date;
  readonly messageCount: number;
  readonly data: Uint8Array | Binary;
}

interface Collections {
  readonly heads: Collection<HeadDocument>;
  readonly records: Collection<RecordDocument>;
  readonly blocks: Collection<BlockDocument>;
}

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
/** Blocks are written once and read rarely: half the size of the default level for texts, at a fifth of its speed, is well spent. */
const LEVEL = 9;
const PROGRESS = { headSeq: 1, archivedSeq: 1, archivedTime: 1, trimmedSeq: 1 } as const;

/** Makes the archive's indexes and gives its side of the store. */
export async function openArchive(db: Db): Promise<ArchiveStore> {
  const at: Collections = {
    heads: db.collection(getOption(StoredHeadSchema, collection)),
    records: db.collection(getOption(StoredRecordSchema, collection)),
    blocks: db.collection(getOption(StoredArchiveBlockSchema, collection)),
  };
  await at.blocks.createIndexes([
    { name: "end", key: { conversationId: 1, toSeq: 1 } },
    { name: "time", key: { conversationId: 1, toTime: 1 } },
  ]);
  return { ...progressIn(at), ...recordsIn(at), ...blocksIn(at) };
}

function progressIn({ heads }: Collections): Pick<ArchiveStore, "progressOf" | "progressAfter" | "markArchived"> {
  return {
    async progressOf(conversationId) {
      const found = await reading(() => heads.findOne({ _id: conversationId }, { projection: PROGRESS }));
      return found === null ? undefined : progressFrom(found);
    },
    async progressAfter(conversationId, limit) {
      const behind = conversationId === undefined ? {} : { _id: { $gt: conversationId } };
      const found = await reading(() =>
        heads.find(behind, { projection: PROGRESS }).sort({ _id: 1 }).limit(limit).toArray(),
      );
      return found.map(progressFrom);
    },
    async markArchived(conversationId, seq, time) {
      await writing(() => heads.updateOne({ _id: conversationId }, { $max: { archivedSeq: seq, archivedTime: time } }));
    },
  };
}

function progressFrom({ _id, headSeq, archivedSeq, archivedTime, trimmedSeq }: HeadDocument): ArchiveProgress {
  return {
    conversationId: _id,
    headSeq,
    archivedSeq: archivedSeq ?? 0n,
    archivedTime,
    trimmedSeq: trimmedSeq ?? 0n,
  };
}

function recordsIn({ heads, records }: Collections): Pick<ArchiveStore, "acceptedTimeOf" | "recordsAfter" | "trim"> {
  return {
    async acceptedTimeOf(conversationId, seq) {
      const filter = { conversationId, seq };
      return (await reading(() => records.findOne(filter, { projection: { acceptedTime: 1 } })))?.acceptedTime;
    },
    async recordsAfter(conversationId, seq, limit) {
      const behind = { conversationId, seq: { $gt: seq } };
      return (await reading(() => records.find(behind).sort({ seq: 1 }).limit(limit).toArray())).map(archivable);
    },
    async trim(conversationId, afterSeq, toSeq) {
      await writing(() => records.deleteMany({ conversationId, seq: { $gt: afterSeq, $lte: toSeq } }));
      await writing(() => heads.updateOne({ _id: conversationId }, { $max: { trimmedSeq: toSeq } }));
    },
  };
}

function archivable(document: RecordDocument): ArchivableRecord {
  const { seq, acceptedTime, kind, streamSequence, record } = document;
  const isMessage = kind === "message";
  const storedBytes = BSON.calculateObjectSize(document);
  return { seq, acceptedTime, isMessage, streamSequence, record: bytesOf(record), storedBytes };
}

function blocksIn({ blocks }: Collections): Pick<ArchiveStore, "putBlock" | "blocksEnd"> {
  return {
    async putBlock(block) {
      const document = await blockDocument(block);
      try {
        await writing(() => blocks.insertOne(document));
      } catch (error) {
        if (!isDuplicate(error)) throw error;
      }
      const found = await reading(() => blocks.findOne({ _id: document._id }));
      if (found === null) throw new Error(`block ${document._id} is not there`);
      await compare(block, found);
      return { toSeq: found.toSeq, bytes: BSON.calculateObjectSize(found) };
    },
    async blocksEnd(conversationId) {
      const options = { sort: { toSeq: -1 }, projection: { toSeq: 1 } } as const;
      return (await reading(() => blocks.findOne({ conversationId }, options)))?.toSeq ?? 0n;
    },
  };
}

async function blockDocument({ conversationId, records }: ArchiveBlock): Promise<BlockDocument> {
  const [first, last] = [records[0], records.at(-1)];
  if (first === undefined || last === undefined) throw new TypeError("a block without records");
  const archived = create(ArchivedRecordsSchema, {
    records: records.map(({ record, streamSequence }) => ({ record, streamSequence })),
  });
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL };
  return {
    _id: `${conversationId}:${first.seq}`,
    conversationId,
    fromSeq: first.seq,
    toSeq: last.seq,
    fromTime: first.acceptedTime,
    toTime: last.acceptedTime,
    messageCount: records.filter(({ isMessage }) => isMessage).length,
    data: await compress(toBinary(ArchivedRecordsSchema, archived), { params }),
  };
}

/** A block that another run has written may be shorter or longer; what both hold must be the same. */
async function compare({ records }: ArchiveBlock, found: BlockDocument): Promise<void> {
  const { records: archived } = fromBinary(ArchivedRecordsSchema, await decompress(bytesOf(found.data)));
  const whole = BigInt(archived.length) === found.toSeq - found.fromSeq + 1n;
  const same = (one: ArchivedRecord | undefined, { record, streamSequence }: ArchivableRecord) =>
    one === undefined || (one.streamSequence === streamSequence && isDeepStrictEqual([...one.record], [...record]));
  if (!whole || !records.every((record, index) => same(archived[index], record))) {
    throw new ArchiveConflictError(`block ${found._id} doesn't hold what it should`);
  }
}

const bytesOf = (data: Uint8Array | Binary): Uint8Array =>
  data instanceof Uint8Array ? data : new Uint8Array(data.buffer);
