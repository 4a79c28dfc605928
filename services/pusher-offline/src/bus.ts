import { toBinary } from "@bufbuild/protobuf";
import { OfflineTaskSchema, SendTaskSchema } from "@oceanchat/gen/oceanchat/push/v1/tasks_pb";
import { type Bus, PublishError } from "@oceanchat/runtime/bus-types";
import { streamOf } from "@oceanchat/runtime/streams";
import type { SendQueue } from "./ports.ts";

/** Opens the providers' queues, `push.offline.send.<provider>`. */
export function openSendQueue(bus: Bus): SendQueue {
  const stream = streamOf(OfflineTaskSchema);
  return {
    async enqueue(provider, task) {
      try {
        await bus.publish(stream.subjectOf("send", { provider }), toBinary(SendTaskSchema, task), {
          expectStream: stream.name,
          messageId: `${task.recordId}:${task.tokenId}`,
        });
      } catch (error) {
        throw error instanceof PublishError ? error.toServiceError() : error;
      }
    },
  };
}
