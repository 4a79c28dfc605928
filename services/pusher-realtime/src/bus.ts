import { create, toBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { type Bus, PublishError } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { Offline } from "./ports.ts";

/** The stream of offline tasks. The orchestrator's tasks have the same ids, so a user is told of a record once. */
export function openOffline(bus: Bus): Offline {
  const stream = streamOf(OfflineTaskSchema);
  return {
    async tell(userId, record, traceparent) {
      const data = toBinary(OfflineTaskSchema, create(OfflineTaskSchema, { userId, record }));
      const messageId = `${record.recordId}:${userId}`;
      try {
        await bus.publish(stream.subjectOf("user", { id: userId }), data, {
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
