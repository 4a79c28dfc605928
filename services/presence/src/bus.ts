import { create, toBinary } from "@bufbuild/protobuf";
import type { Presence } from "@oceanchat/gen/oceanchat/presence/v1/presence_service_pb";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import type { Outlet, Watch } from "./ports/watches.ts";

/** Signals over NATS, at most once. */
export function openOutlet(bus: Bus): Outlet {
  const signals = signalOf(GatewaySignalSchema);
  return {
    send({ gatewayId, address }, to: readonly Watch[], presence: Presence) {
      const signal = create(GatewaySignalSchema, {
        gatewayId,
        gatewayAddress: address,
        targets: to.map(({ connectionId, viewerId, codec }) => ({ connectionId, userId: viewerId, codec })),
        signal: { kind: { case: "presence", value: presence } },
      });
      return bus.signal(signals.subjectOf({ gateway: gatewayId }), toBinary(GatewaySignalSchema, signal));
    },
  };
}
