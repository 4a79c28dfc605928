import { timestampMs } from "@bufbuild/protobuf/wkt";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Host } from "@oceanchat/runtime/host";
import type { PushPeers } from "./ports.ts";

/** A name is remembered for this long; one that changes shows a minute later in notifications. */
const NAME_MS = 60_000;
const NAMES_REMEMBERED = 10_000;

/** Connects to the services that pusher-offline asks. */
export async function openPeers(
  host: Host,
  config: { readonly auth: AddressSource; readonly user: AddressSource; readonly presence: AddressSource },
): Promise<PushPeers> {
  const auth = await host.peers(AuthMeshService, config.auth);
  const user = await host.peers(UserMeshService, config.user);
  const presence = await host.peers(PresenceMeshService, config.presence);
  const names = new Map<string, { readonly name: string | undefined; readonly untilMs: number }>();
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    async connectedSince(userIds, sinceMs) {
      const { connections } = await presence.call.locate({ userIds: [...userIds] });
      const since = connections.filter(
        ({ connectedTime }) => connectedTime !== undefined && timestampMs(connectedTime) >= sinceMs,
      );
      return new Set(since.map(({ userId }) => userId));
    },
    async displayName(userId) {
      const known = names.get(userId);
      if (known !== undefined && known.untilMs > host.now()) return known.name;
      const { users } = await user.call.batchGetProfiles({ userIds: [userId] });
      const name = users[0]?.displayName;
      if (names.size >= NAMES_REMEMBERED) names.clear();
      names.set(userId, { name, untilMs: host.now() + NAME_MS });
      return name;
    },
  };
}
