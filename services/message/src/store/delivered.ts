import { getOption } from "@bufbuild/protobuf";
import { collection } from "@oceanchat/gen/oceanchat/options/v1/options_pb";
import { StoredDeliveredCursorSchema } from "@oceanchat/gen/oceanchat/records/v1/store_pb";
import { writing } from "@oceanchat/runtime/mongo";
import { type AnyBulkWriteOperation, type Db, MongoBulkWriteError } from "mongodb";
import type { DeliveredCursor, DeliveredStore } from "../ports.ts";

interface DeliveredDocument {
  _id: string;
  userId: string;
  conversationId: string;
  deviceId: string;
  deliveredSeq: bigint;
  movedTime: Date;
}

/** Makes the index and the store of delivered cursors, the one collection of the message store that this service writes. */
export async function openDelivered(db: Db): Promise<DeliveredStore> {
  const cursors = db.collection<DeliveredDocument>(getOption(StoredDeliveredCursorSchema, collection));
  await cursors.createIndexes([{ name: "member", key: { conversationId: 1, userId: 1 } }]);
  return {
    async save(moved) {
      try {
        await writing(() => cursors.bulkWrite(moved.map(upsert), { ordered: false }));
        return new Set();
      } catch (error) {
        const refused = error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
        if (refused.length === 0) throw error;
        return new Set(refused.flatMap(({ index }) => moved[index] ?? []));
      }
    },
  };
}

/** Whatever comes last, the furthest stays. */
function upsert({
  userId,
  conversationId,
  deviceId,
  deliveredSeq,
  movedMs,
}: DeliveredCursor): AnyBulkWriteOperation<DeliveredDocument> {
  return {
    updateOne: {
      filter: { _id: `${userId}:${conversationId}:${deviceId}` },
      update: {
        $max: { deliveredSeq, movedTime: new Date(movedMs) },
        $setOnInsert: { userId, conversationId, deviceId },
      },
      upsert: true,
    },
  };
}
