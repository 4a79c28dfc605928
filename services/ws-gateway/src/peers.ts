import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { RouterMeshService } from "@oceanchat/gen/oceanchat/router/v1/router_mesh_service_pb";
import type { Host } from "@oceanchat/runtime/host";
import type { PublicJwk } from "@oceanchat/runtime/token";
import type { GatewayConfig } from "./config.ts";
import type { AuthPort, GatewaysPort, PresencePort, RouterPort } from "./ports.ts";

const REPORT_TIMEOUT_MS = 3_000;
/** A gateway that starts waits for it. */
const LIMITS_TIMEOUT_MS = 1_000;
/** Clients that connect wait for the answer. */
const SESSIONS_TIMEOUT_MS = 1_000;

/** Reaches routers. What is unanswered when a stream breaks is sent again: the log of messages drops repeats. */
export async function openRouter(host: Host, config: GatewayConfig): Promise<RouterPort> {
  const calls = await host.calls(RouterMeshService.method.exchange, config.router, {
    resend: true,
    timeoutMs: config.uplinkTimeoutMs,
    maxInFlight: config.uplinksInFlight,
  });
  const { call } = await host.peers(RouterMeshService, config.router, { timeoutMs: LIMITS_TIMEOUT_MS });
  return {
    limits: () => call.getLimits({}),
    exchange: (uplink) => calls.call(uplink, { key: uplink.userId }),
  };
}

export async function openPresence(host: Host, config: GatewayConfig, gatewayId: string): Promise<PresencePort> {
  const calls = await host.calls(PresenceMeshService.method.report, config.presence, { timeoutMs: REPORT_TIMEOUT_MS });
  return { report: (event, key) => calls.call({ gatewayId, event }, { key }) };
}

/** Auth, and the keys that access tokens are checked with. */
export async function openAuth(
  host: Host,
  config: GatewayConfig,
): Promise<AuthPort & { signingKeys(): Promise<readonly PublicJwk[]> }> {
  const { call } = await host.peers(AuthMeshService, config.auth);
  return {
    signingKeys: async () => (await call.getSigningKeys({})).keys,
    async liveSessions(sessionIds) {
      const request = { sessionIds: [...sessionIds] };
      return new Set((await call.getSessions(request, { timeoutMs: SESSIONS_TIMEOUT_MS })).liveSessionIds);
    },
  };
}

/** Other gateways, whose addresses presence gives. */
export async function openGateways(host: Host): Promise<GatewaysPort> {
  const { call } = await host.peers(GatewayMeshService, { kind: "static", addresses: [] });
  return {
    async closeConnections(address, connectionIds, { code, reason }) {
      await call.closeConnections({ connectionIds: [...connectionIds], code, reason }, { address });
    },
  };
}
