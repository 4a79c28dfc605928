import type { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Exchange } from "./core/exchange.ts";
import type { LimitsPort } from "./ports.ts";

/** What the router itself accepts. */
export interface OwnLimits {
  readonly packetsPerSecond: number;
  readonly packetsBurst: number;
}

/** What gateways call. */
export const routerMeshHandlers = (
  exchange: Exchange,
  behind: LimitsPort,
  { packetsPerSecond, packetsBurst }: OwnLimits,
  tracing: Tracing,
): Handlers<typeof RouterMeshService> => ({
  async getLimits() {
    const { $typeName: _, ...limits } = await behind.limits();
    return { limits: { ...limits, packetsPerSecond, packetsBurst } };
  },
  exchange: (uplink) =>
    tracing.span("router.exchange", uplink.traceparent, async (traceparent) => {
      uplink.traceparent = traceparent;
      return exchange(uplink);
    }),
});
