import type { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import type { Handlers } from "@oceanchat/runtime/handlers";
import type { Tracing } from "@oceanchat/runtime/trace";
import { isCloseCode } from "./core/closing.ts";
import { errors } from "./errors.ts";
import type { Gateway } from "./gateway.ts";

/** What pushers, presence and auth call. */
export const gatewayMeshHandlers = (gateway: Gateway, tracing: Tracing): Handlers<typeof GatewayMeshService> => ({
  deliver: (delivery) => {
    const { traceparent } = delivery;
    const deliver = () => ({ unknownConnectionIds: gateway.deliver(delivery) });
    return traceparent === "" ? deliver() : tracing.span("gateway.deliver", traceparent, async () => deliver());
  },
  closeConnections({ connectionIds, sessionIds, code, reason }) {
    if (!isCloseCode(code)) throw errors.notACloseCode();
    return { closed: gateway.close(connectionIds, sessionIds, { code, reason }) };
  },
});
