import { GatewayMeshService } from "@oceanchat/gen/oceanchat/gateway/v1/gateway_mesh_service_pb";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { Connections, Profiles } from "./ports.ts";

/** How long presence, and then a gateway, may take, in milliseconds: connections of ended sessions are closed within two seconds. */
const TIMEOUT_MS = 750;
/** An append waits for the log to be durable. */
const APPEND_MS = 5_000;
const SESSION_OVER = { code: 4401, reason: "the session is over" };

/** Profiles, which user keeps. */
export async function openProfiles(host: Host, at: AddressSource): Promise<Profiles> {
  const users = await host.peers(UserMeshService, at);
  return {
    async ensure(profile, { traceparent, requestId }) {
      const { user } = await users.call.createProfile(profile, { key: profile.userId, traceparent, requestId });
      if (user === undefined) throw shared.internal(new Error("user answered without a profile"));
      return user;
    },
  };
}

/** Connections, which presence finds and gateways close. */
export async function openConnections(host: Host, at: AddressSource): Promise<Connections> {
  const presence = await host.peers(PresenceMeshService, at, { timeoutMs: TIMEOUT_MS });
  const nowhere: AddressSource = { kind: "static", addresses: [] }; // every call names its gateway
  const gateways = await host.peers(GatewayMeshService, nowhere, { timeoutMs: TIMEOUT_MS });
  return {
    async of(userId) {
      const { connections, gateways } = await presence.call.locate({ userIds: [userId] });
      const addresses = new Map(gateways.map(({ gatewayId, address }) => [gatewayId, address]));
      return connections.flatMap(({ sessionId, gatewayId }) => {
        const address = addresses.get(gatewayId);
        return address === undefined ? [] : [{ sessionId, address }];
      });
    },
    async close(address, sessionIds) {
      const request = { ...SESSION_OVER, sessionIds: [...sessionIds] };
      return (await gateways.call.closeConnections(request, { address })).closed;
    },
  };
}

/** Tells a user's own log that a session has ended; `attempt` counts the tries from 1. Rejects when it may not be there. */
export type AppendRevocation = (userId: string, sessionId: string, attempt: number) => Promise<void>;

/** Users' own logs, which message writes. */
export async function openUserLogs(host: Host, at: AddressSource): Promise<AppendRevocation> {
  const message = await host.peers(MessageMeshService, at, { timeoutMs: APPEND_MS });
  return async (userId, sessionId, attempt) => {
    const record = { body: { case: "sessionRevoked", value: { sessionId } } } as const;
    const request = { userId, idempotencyKey: `session:${sessionId}`, record, attempt };
    await message.call.appendUserRecord(request, { key: `u_${userId}` });
  };
}
