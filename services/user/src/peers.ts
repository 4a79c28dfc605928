import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Host } from "@oceanchat/runtime/host";
import type { PublicJwk } from "@oceanchat/runtime/token";
import type { Watchers } from "./ports.ts";

/** What a user waits for presence at most when he changes a setting, in milliseconds. */
const REVIEW_MS = 1_000;

/** Presence, which shows users to others. */
export async function openWatchers(host: Host, at: AddressSource): Promise<Watchers> {
  const { call } = await host.peers(PresenceMeshService, at, { timeoutMs: REVIEW_MS });
  return {
    async review(userId) {
      try {
        await call.reviewWatchers({ userIds: [userId] });
      } catch (error) {
        host.log.warn({ err: error, userId }, "presence can't be told that who may see a user has changed");
      }
    },
  };
}

/** The keys that auth signs access tokens with. */
export async function openSigningKeys(host: Host, at: AddressSource): Promise<() => Promise<readonly PublicJwk[]>> {
  const auth = await host.peers(AuthMeshService, at);
  return async () => (await auth.call.getSigningKeys({})).keys;
}
