import type { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import type { Exchange } from "./core/exchange.ts";

/** What gateways call. */
export const routerMeshHandlers = (exchange: Exchange, tracing: Tracing): Handlers<typeof RouterMeshService> => ({
  exchange: (uplink) =>
    tracing.span("router.exchange", uplink.traceparent, async (traceparent) => {
      uplink.traceparent = traceparent;
      return { payload: await exchange(uplink) };
    }),
});
