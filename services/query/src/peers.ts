import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import type { Host } from "@oceanchat/runtime/host";
import type { QueryPeers } from "./ports.ts";

/** Groups of one user that are read at most: 10 pages of 1000. */
const GROUP_PAGES = 10;

/** Connects to the services that query asks. */
export async function openPeers(
  host: Host,
  config: { readonly auth: AddressSource; readonly group: AddressSource },
): Promise<QueryPeers> {
  const auth = await host.peers(AuthMeshService, config.auth);
  const group = await host.peers(GroupMeshService, config.group);
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    async intervals(groupId, userId) {
      const { intervals } = await group.call.checkRead({ groupId, userId });
      return intervals.map(({ fromSeq, toSeq }) => ({ fromSeq, toSeq: toSeq === 0n ? undefined : toSeq }));
    },
    async groupsOf(userId) {
      const groups: { groupId: string; fromSeq: bigint }[] = [];
      for (let page = 0; page < GROUP_PAGES; page++) {
        const afterGroupId = groups.at(-1)?.groupId ?? "";
        const { memberships, hasMore } = await group.call.listGroupIdsOfUser({ userId, afterGroupId });
        groups.push(...memberships);
        if (!hasMore) break;
      }
      return groups;
    },
  };
}
