import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { Peers } from "@oceanchat/runtime/peers";
import { membershipsFrom } from "./peers/memberships.ts";
import type { MembershipPeers } from "./ports/moves.ts";
import type { QueryPeers } from "./ports.ts";

/** Members of a group that are read at most, with a list that changes meanwhile: 20 pages of 10,000. */
const MEMBER_PAGES = 20;
const MEMBERS_PER_PAGE = 10_000;

/** Connects to the services that query asks. */
export async function openPeers(
  host: Host,
  config: { readonly auth: AddressSource; readonly group: AddressSource },
): Promise<QueryPeers & MembershipPeers> {
  const auth = await host.peers(AuthMeshService, config.auth);
  const group = await host.peers(GroupMeshService, config.group);
  const memberships = membershipsFrom(group);
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    async intervals(groupId, userId) {
      const { intervals } = await group.call.checkRead({ groupId, userId });
      return intervals.map(({ fromSeq, toSeq }) => ({ fromSeq, toSeq: toSeq === 0n ? undefined : toSeq }));
    },
    groupsOf: (userId) => memberships(userId, undefined),
    memberships,
    membersOf: (groupId) => membersOf(group, groupId),
  };
}

/** Reads a member list whole; one that changes between its pages is begun again. */
async function membersOf({ call }: Peers<typeof GroupMeshService>, groupId: string): Promise<readonly string[]> {
  let userIds: string[] = [];
  let known: bigint | undefined;
  for (let page = 0; page < MEMBER_PAGES; page++) {
    const answer = await call.listMemberIds({ groupId, afterUserId: userIds.at(-1) ?? "", limit: MEMBERS_PER_PAGE });
    const { version, hasMore } = answer;
    if (known !== undefined && known !== version) {
      userIds = [];
      known = undefined;
      continue;
    }
    known = version;
    userIds = [...userIds, ...answer.userIds];
    if (!hasMore) return userIds;
  }
  throw shared.unavailable(`the members of group ${groupId} can't be read at the moment`);
}
