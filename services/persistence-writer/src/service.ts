import { durationMs } from "@bufbuild/protobuf/wkt";
import type { PersistenceMeshService } from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { Archiver } from "./archiver.ts";

const DAY_MS = 86_400_000;
/** Younger records may be needed to recognise repeats, which are known for seven days. */
const MIN_AGE_MS = 8 * DAY_MS;

/** What operators may call. */
export const persistenceMeshHandlers = (archiver: Archiver): Handlers<typeof PersistenceMeshService> => ({
  async archiveRecords({ olderThan, conversationId }) {
    const ageMs = olderThan === undefined ? archiver.ageMs : durationMs(olderThan);
    if (ageMs < MIN_AGE_MS) {
      throw shared.invalidFields([{ field: "older_than", description: "must be 8 days at least" }]);
    }
    const { next, ...moved } = await archiver.runFor(ageMs, conversationId === "" ? undefined : conversationId);
    const { conversations, blocks, records, bytesBefore, bytesAfter } = moved;
    const bytes = { bytesBefore: BigInt(bytesBefore), bytesAfter: BigInt(bytesAfter) };
    return { conversations, blocks, records: BigInt(records), ...bytes, hasMore: next !== undefined };
  },
});
