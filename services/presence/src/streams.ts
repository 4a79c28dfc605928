import { randomUUID } from "node:crypto";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { Host } from "@oceanchat/runtime/host";
import { hearStreamSignals } from "./bus.ts";
import { streamGateway } from "./core/stream-gateway.ts";
import { type StreamNeeds, Streams } from "./core/streams.ts";
import type { PresenceCore } from "./core.ts";

/** How often something is said on every stream: less than the edge waits before it takes one for dead. */
const BEAT_MS = 50_000;
/** How long a stream may outlive its session. */
const SESSIONS_MS = 30_000;

/** The streams of this process, with what keeps them going. */
export function openStreams(
  host: Host,
  core: Pick<PresenceCore, "watches">,
  { bus, ...needs }: Pick<StreamNeeds, "leases" | "sessions" | "leaseMs"> & { readonly bus: Bus },
): Streams {
  const instanceId = randomUUID();
  const gatewayId = streamGateway(instanceId);
  const streams = new Streams({ ...needs, ...core, gatewayId, newId: randomUUID, now: host.now });
  const endHearing = hearStreamSignals(bus, instanceId, streams);
  host.defer("stream signals", endHearing);
  host.beforeStop("streams", () => streams.close());
  host.every("lease of streams", needs.leaseMs / 3, () => streams.renew());
  host.every("beat of streams", BEAT_MS, () => streams.beat());
  host.every("sessions of streams", SESSIONS_MS, () => streams.checkSessions());
  return streams;
}
