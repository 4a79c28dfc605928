import type { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Exchange } from "./core/exchange.ts";
import type { Rate } from "./core/limiter.ts";
import type { Limits } from "./core/limits.ts";
import type { LimitsPort } from "./ports.ts";

/** What gateways call. */
export const routerMeshHandlers = (
  exchange: Exchange,
  behind: LimitsPort,
  own: Pick<Limits, "ofUsers" | "ofPlatforms">,
  tracing: Tracing,
): Handlers<typeof RouterMeshService> => ({
  async getLimits() {
    const { $typeName: _, ...limits } = await behind.limits();
    const withRate = ({ perSecond, burst }: Rate) => ({ ...limits, packetsPerSecond: perSecond, packetsBurst: burst });
    const ofPlatform = Object.fromEntries([...own.ofPlatforms].map(([platform, rate]) => [platform, withRate(rate)]));
    return { limits: withRate(own.ofUsers), ofPlatform };
  },
  exchange: (uplink) =>
    tracing.span("router.exchange", uplink.traceparent, (traceparent) =>
      exchange(traceparent === uplink.traceparent ? uplink : { ...uplink, traceparent }),
    ),
});
