import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  GroupMeshService,
  Membership as MembershipMessage,
} from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { joinedLookups } from "@oceanchat/runtime/joined-lookups";
import type { Peers } from "@oceanchat/runtime/peers";
import type { Membership, MembershipPeers } from "../ports/moves.ts";

/** Groups of one user that are read at most: 10 pages of 1000. */
const GROUP_PAGES = 10;
/** As many users as group takes at once; somewhat longer than a call may take. */
const JOINED = { atOnce: 2, maxKeys: 500, timeoutMs: 3_000 };

interface Group {
  readonly call: Pick<Peers<typeof GroupMeshService>["call"], "listGroupIdsOfUser" | "listGroupIdsOfUsers">;
}

/** Asks group for memberships: for all who ask at the same time by one call, and apart for those of whom it doesn't tell so. */
export function membershipsFrom(group: Group): MembershipPeers["memberships"] {
  const look = joinedLookups((keys) => ofUsers(group, keys), JOINED);
  return async (userId, leftSinceMs) => {
    const key = keyOf(userId, leftSinceMs);
    return (await look([key])).get(key) ?? ofUser(group, userId, leftSinceMs);
  };
}

const keyOf = (userId: string, leftSinceMs: number | undefined): string => `${userId} ${leftSinceMs ?? ""}`;

async function ofUsers({ call }: Group, keys: readonly string[]): Promise<Map<string, Membership[]>> {
  const keyOfUser = new Map<string, string>();
  for (const key of keys) {
    const [userId = ""] = key.split(" ");
    // Two devices may ask for different times: the second one asks apart.
    if (!keyOfUser.has(userId)) keyOfUser.set(userId, key);
  }
  const users = [...keyOfUser.values()].map((key) => {
    const [userId = "", leftSinceMs = ""] = key.split(" ");
    return { userId, ...leftSince(leftSinceMs === "" ? undefined : Number(leftSinceMs)) };
  });
  const answer = await call.listGroupIdsOfUsers({ users });
  return new Map(
    answer.users.map(({ userId, memberships }) => [keyOfUser.get(userId) ?? "", memberships.map(membershipOf)]),
  );
}

/** Page by page. Group waits for changes under way before it answers. */
async function ofUser({ call }: Group, userId: string, leftSinceMs: number | undefined): Promise<Membership[]> {
  const memberships: Membership[] = [];
  for (let page = 0; page < GROUP_PAGES; page++) {
    const afterGroupId = memberships.at(-1)?.groupId ?? "";
    const answer = await call.listGroupIdsOfUser({ userId, afterGroupId, ...leftSince(leftSinceMs) });
    memberships.push(...answer.memberships.map(membershipOf));
    if (!answer.hasMore) return memberships;
  }
  throw shared.unavailable(`the groups of user ${userId} are too many`);
}

const leftSince = (ms: number | undefined) =>
  ms === undefined ? {} : { leftSince: timestampFromMs(Math.max(0, Math.floor(ms))) };

const membershipOf = ({ groupId, fromSeq, toSeq, joinTime }: MembershipMessage): Membership => ({
  groupId,
  fromSeq,
  toSeq: toSeq === 0n ? undefined : toSeq,
  joinTimeMs: joinTime === undefined ? 0 : timestampMs(joinTime),
});
