import { fromBinary } from "@bufbuild/protobuf";
import { RecordSchema } from "@oceanchat/gen/oceanchat/records/v1/record_pb";
import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { RecordReads } from "./archive.ts";

export interface RecordDocument extends Document {
  readonly conversationId: string;
  readonly seq: bigint;
  readonly senderUserId: string;
  readonly kind: string;
  readonly streamSequence: bigint;
  readonly record: Uint8Array;
  readonly mentions?: readonly string[];
  readonly mentionsAll?: boolean;
}

/** Reads records. */
export function recordsIn(records: Collection<RecordDocument>): RecordReads {
  return {
    async range(conversationId, fromSeq, toSeq) {
      const found = await reading(() =>
        records
          .find(
            { conversationId, seq: { $gte: fromSeq, $lte: toSeq } },
            { projection: { record: 1, streamSequence: 1 } },
          )
          .sort({ seq: 1 })
          .toArray(),
      );
      return found.map(({ record, streamSequence }) => ({
        record: fromBinary(RecordSchema, record),
        streamSequence: Number(streamSequence),
      }));
    },
    async streamSequenceBefore(conversationId, seq) {
      const found = await reading(() =>
        records.findOne(
          { conversationId, seq: { $lt: seq } },
          { sort: { seq: -1 }, projection: { streamSequence: 1 } },
        ),
      );
      return found === null ? undefined : Number(found.streamSequence);
    },
    async storedSeqs(conversationId, fromSeq, toSeq) {
      const found = await reading(() =>
        records
          .find({ conversationId, seq: { $gte: fromSeq, $lte: toSeq } }, { projection: { _id: 0, seq: 1 } })
          .sort({ seq: 1 })
          .toArray(),
      );
      return found.map(({ seq }) => seq);
    },
  };
}
