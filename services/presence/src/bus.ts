import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StreamSignalSchema } from "@oceanchat/gen/oceanchat/presence/v1/watches_pb";
import { GatewaySignalSchema } from "@oceanchat/gen/oceanchat/push/v1/signals_pb";
import type { Bus } from "@oceanchat/runtime/bus-types";
import { signalOf } from "@oceanchat/runtime/declared-names";
import type { Streams } from "./core/streams.ts";
import type { Outlet } from "./ports/watches.ts";

/** Signals over NATS, at most once: for connections to their gateway, for streams to the instance that has them. */
export function openOutlet(bus: Bus): Outlet {
  const forGateways = signalOf(GatewaySignalSchema);
  const forStreams = signalOf(StreamSignalSchema);
  return {
    toStreams(instance, to, presence) {
      const streamIds = to.map(({ connectionId }) => connectionId);
      const signal = create(StreamSignalSchema, { streamIds, presence });
      return bus.signal(forStreams.subjectOf({ instance }), toBinary(StreamSignalSchema, signal));
    },
    toGateway({ gatewayId, address }, to, presence) {
      const signal = create(GatewaySignalSchema, {
        gatewayId,
        gatewayAddress: address,
        targets: to.map(({ connectionId, viewerId, codec }) => ({ connectionId, userId: viewerId, codec })),
        signal: { kind: { case: "presence", value: presence } },
      });
      return bus.signal(forGateways.subjectOf({ gateway: gatewayId }), toBinary(GatewaySignalSchema, signal));
    },
  };
}

/** Starts to hear what is for the streams of this instance. Returns the function that ends it. */
export function hearStreamSignals(bus: Bus, instance: string, streams: Pick<Streams, "tell">): () => void {
  return bus.onSignal(signalOf(StreamSignalSchema).filterOf({ instance }), (data) => {
    const { streamIds, presence } = fromBinary(StreamSignalSchema, data);
    if (presence === undefined) throw new TypeError("a signal for streams without anything to tell");
    streams.tell(streamIds, presence);
  });
}
