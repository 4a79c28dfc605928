import { toBinary } from "@bufbuild/protobuf";
import { ConversationSignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import type { SignalOutlet } from "../ports.ts";

/** Signals over NATS; while there is no connection they are dropped. */
export function openSignals(bus: Bus): SignalOutlet {
  const declared = signalOf(ConversationSignalSchema);
  return {
    send(signal) {
      const subject = declared.subjectOf({ conversation_id: signal.conversationId });
      bus.signal(subject, toBinary(ConversationSignalSchema, signal));
    },
  };
}
