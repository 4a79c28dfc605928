import { fromBinary } from "@bufbuild/protobuf";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import { CONSUMER } from "../consumer.ts";
import type { Passing, SignalPusher } from "../core/signals.ts";

/** Starts to push signals; each goes to one of the instances. Returns the function that ends it. */
export function hearSignals(bus: Bus, signals: Pick<SignalPusher, "take">): () => void {
  return bus.onSignal(signalOf(GatewaySignalSchema).filterOf(), (data) => signals.take(passingOf(data)), CONSUMER);
}

/** Throws for what is none; the bus logs that. */
function passingOf(data: Uint8Array): Passing {
  const { gatewayAddress, targets, signal } = fromBinary(GatewaySignalSchema, data);
  if (signal === undefined || gatewayAddress === "")
    throw new TypeError("a signal without an address or without anything to tell");
  return { address: gatewayAddress, targets, signal };
}
