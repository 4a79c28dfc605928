import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { type Bus, PublishError } from "@oceanchat/runtime/bus-types";
import { packUuids } from "@oceanchat/runtime/packed-uuids";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Offline } from "./ports.ts";

/**
 * The stream of offline tasks. Who is named by a task of the orchestrator as well is told once all the same: a task for one
 * user has the same id there, and pusher-offline queues a record once for each device.
 */
export function openOffline(bus: Bus): Offline {
  const stream = streamOf(OfflineTaskSchema);
  return {
    async tell(userIds, record, when, traceparent) {
      const [first = ""] = userIds;
      const { named, name } = namesOf(userIds);
      const data = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { ...named, record }));
      const messageId = `${record.recordId}:${name}`;
      try {
        await bus.publish(stream.subjectOf(when === "later" ? "later" : "user", { id: first }), data, {
          expectStream: stream.name,
          messageId,
          traceparent,
        });
        return true;
      } catch (error) {
        // A day of notices waits already: one more is worth less than the packets behind it, which would have to wait.
        if (error instanceof PublishError && error.kind === "full") return false;
        throw error;
      }
    },
  };
}

/** How a task names its users, and how its id does. */
function namesOf(userIds: readonly string[]) {
  const [userId = "", ...others] = userIds;
  if (others.length === 0) return { named: { userId }, name: userId };
  const packedUserIds = packUuids(userIds);
  return { named: { packedUserIds }, name: hash("sha1", packedUserIds, "base64url") };
}
