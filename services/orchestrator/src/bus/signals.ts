import { toBinary } from "@bufbuild/protobuf";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import type { SignalOutlet } from "../ports.ts";

/** Signals over NATS; while there is no connection they are dropped. */
export function openSignals(bus: Bus): SignalOutlet {
  const declared = signalOf(GatewaySignalSchema);
  return {
    send(signal) {
      bus.signal(declared.subjectOf({ gateway: signal.gatewayId }), toBinary(GatewaySignalSchema, signal));
    },
  };
}
