import { reading } from "@oceanchat/runtime/mongo";
import type { Collection, Document } from "mongodb";
import type { RecordStore } from "../ports.ts";

/** Written by message, a document for each device. */
export interface DeliveredCursorDocument extends Document {
  readonly _id: string;
  readonly userId: string;
  readonly conversationId: string;
  readonly deliveredSeq: bigint;
}

/** Reads delivered cursors. */
export function deliveredIn(cursors: Collection<DeliveredCursorDocument>): Pick<RecordStore, "deliveredSeqsIn"> {
  return {
    async deliveredSeqsIn(conversationId, userIds) {
      // In the store, because devices that are gone keep their cursors.
      const furthest = [
        { $match: { conversationId, userId: { $in: [...userIds] } } },
        { $group: { _id: "$userId", deliveredSeq: { $max: "$deliveredSeq" } } },
      ];
      const found = await reading(() => cursors.aggregate<{ _id: string; deliveredSeq: bigint }>(furthest).toArray());
      return new Map(found.map(({ _id, deliveredSeq }) => [_id, deliveredSeq]));
    },
  };
}
