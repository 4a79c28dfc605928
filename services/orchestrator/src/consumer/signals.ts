import { fromBinary } from "@bufbuild/protobuf";
import { ConversationSignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import { audienceOf, CONSUMER } from "../consumer.ts";
import type { Passing, SignalFanOut } from "../core/signals.ts";

/** Starts to hand signals over; each goes to one of the instances. Returns the function that ends it. */
export function hearSignals(bus: Bus, signals: Pick<SignalFanOut, "take">): () => void {
  return bus.onSignal(signalOf(ConversationSignalSchema).filterOf(), (data) => signals.take(passingOf(data)), CONSUMER);
}

/** Throws for what is none; the bus logs that. */
function passingOf(data: Uint8Array): Passing {
  const { audience, fromUserId, signal } = fromBinary(ConversationSignalSchema, data);
  if (signal === undefined || fromUserId === "")
    throw new TypeError("a signal without a cause or without anything to tell");
  return { audience: audienceOf(audience), fromUserId, signal };
}
