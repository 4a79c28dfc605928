import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { PresenceMeshService } from "@oceanchat/gen/oceanchat/presence/v1/presence_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { Peers } from "@oceanchat/runtime/peers";
import type { Groups, LimitedMemberList, MemberList, Presence } from "./ports.ts";

const FIND_TIMEOUT_MS = 2000;

/** Connects to group and presence. */
export async function openPeers(
  host: Host,
  at: { readonly group: AddressSource; readonly presence: AddressSource },
): Promise<{ groups: Groups; presence: Presence }> {
  const group = await host.peers(GroupMeshService, at.group, { timeoutMs: 5000 });
  const find = await host.calls(PresenceMeshService.method.find, at.presence, { timeoutMs: FIND_TIMEOUT_MS });
  return {
    groups: {
      members: (groupId) => allMembers(group, groupId),
      membersUpTo: (groupId, limit) => membersUpTo(group, groupId, limit),
      version: async (groupId) => (await group.call.listMemberIds({ groupId, limit: 1 }, { key: groupId })).version,
    },
    presence: {
      find: ({ userIds, slots, gatewayIds }) =>
        find.call({ userIds: [...userIds], slots: [...slots], gatewayIds: [...gatewayIds] }),
    },
  };
}

const PAGE = 10_000;
/** How often a list that changes between its pages is begun again. */
const MAX_ATTEMPTS = 5;

async function allMembers(group: Peers<typeof GroupMeshService>, groupId: string): Promise<MemberList> {
  const { userIds = [], version } = await membersUpTo(group, groupId, Number.POSITIVE_INFINITY);
  return { userIds, version };
}

async function membersUpTo(
  group: Peers<typeof GroupMeshService>,
  groupId: string,
  limit: number,
): Promise<LimitedMemberList> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const list = await oneList(group, groupId, limit);
    if (list !== undefined) return list;
  }
  throw shared.unavailable(`the members of group ${groupId} change too fast to be read`);
}

/** Undefined when the list has changed between two pages. */
async function oneList(
  group: Peers<typeof GroupMeshService>,
  groupId: string,
  limit: number,
): Promise<LimitedMemberList | undefined> {
  const userIds: string[] = [];
  let version: bigint | undefined;
  for (;;) {
    const page = await group.call.listMemberIds(
      { groupId, afterUserId: userIds.at(-1) ?? "", limit: Math.min(PAGE, limit) },
      { key: groupId },
    );
    version ??= page.version;
    if (page.version !== version) return undefined;
    for (const userId of page.userIds) userIds.push(userId);
    if (!page.hasMore || page.userIds.length === 0) return { userIds, version };
    if (userIds.length >= limit) return { userIds: undefined, version };
  }
}
