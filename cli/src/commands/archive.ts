import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { PersistenceMeshService } from "@oceanchat/gen/oceanchat/persistence/v1/persistence_mesh_service_pb";
import type { Peers } from "@oceanchat/runtime/peers";
import type { Command } from "../arguments.ts";
import type { Output } from "../ports.ts";

/** Has old records moved until there are no more to move. */
export async function runArchive(
  { call }: Pick<Peers<typeof PersistenceMeshService>, "call">,
  { olderThanSeconds, logId }: Extract<Command, { name: "archive run" }>,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const request = {
    conversationId: logId,
    ...(olderThanSeconds === undefined ? {} : { olderThan: durationFromMs(olderThanSeconds * 1000) }),
  };
  const total = { conversations: 0, blocks: 0, records: 0n, bytesBefore: 0n, bytesAfter: 0n };
  for (let more = true; more && !signal.aborted; ) {
    const moved = await call.archiveRecords(request, { signal });
    total.conversations += moved.conversations;
    total.blocks += moved.blocks;
    total.records += moved.records;
    total.bytesBefore += moved.bytesBefore;
    total.bytesAfter += moved.bytesAfter;
    more = moved.hasMore;
    output.remark(`${total.records} records in ${total.blocks} blocks so far`);
  }
  const { conversations, blocks, records, bytesBefore, bytesAfter } = total;
  output.line(
    `${records} records of ${conversations} conversations moved into ${blocks} blocks: ${bytesBefore} bytes before, ${bytesAfter} after`,
    {
      conversations,
      blocks,
      records: String(records),
      bytesBefore: String(bytesBefore),
      bytesAfter: String(bytesAfter),
    },
  );
}
