import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { RecordStore, StoredHead } from "../ports.ts";
import { JOINED } from "./joined.ts";

export interface HeadDocument extends Document {
  readonly _id: string;
  readonly headSeq: bigint;
  readonly streamSequence: bigint;
  readonly lastTime: Date;
  readonly lastRecord?: Uint8Array;
  readonly lastRecalledSeq?: bigint;
  readonly lastMentionAllSeq?: bigint;
  readonly archivedSeq?: bigint;
}

/** Reads heads of logs. */
export function headsIn(heads: Collection<HeadDocument>): Pick<RecordStore, "heads" | "lastTimesOf"> {
  return {
    heads: joinedLookups(async (conversationIds) => {
      const found = await reading(() => heads.find({ _id: { $in: [...conversationIds] } }).toArray());
      return new Map(found.map((head) => [head._id, headOf(head)]));
    }, JOINED),
    async lastTimesOf(conversationIds) {
      const projection = { lastTime: 1 };
      const found = await reading(() => heads.find({ _id: { $in: [...conversationIds] } }, { projection }).toArray());
      return new Map(found.map(({ _id, lastTime }) => [_id, lastTime.getTime()]));
    },
  };
}

function headOf({ headSeq, streamSequence, lastTime, lastRecord, ...known }: HeadDocument): StoredHead {
  return {
    seq: headSeq,
    lastTimeMs: lastTime.getTime(),
    streamSequence: Number(streamSequence),
    lastRecord: lastRecord === undefined ? undefined : fromBinary(RecordSchema, lastRecord),
    lastRecalledSeq: known.lastRecalledSeq ?? 0n,
    lastMentionAllSeq: known.lastMentionAllSeq ?? 0n,
    archivedSeq: known.archivedSeq ?? 0n,
  };
}
