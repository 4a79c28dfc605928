import { randomUUID } from "node:crypto";
import { AuthService, Platform } from "@oceanchat/gen/oceanchat/auth/v1/auth_service_pb";
import { GroupService } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import { QueryService } from "@oceanchat/gen/oceanchat/query/v1/query_service_pb";
import { publicClient } from "@oceanchat/runtime/testing-public";
import type { LogMesh } from "./log-mesh.ts";

/** Somebody with a token, and clients of the public doors that take it. */
export type LogUser = Awaited<ReturnType<typeof registerUser>>;

/** Registers somebody new. */
export async function registerUser(mesh: LogMesh, name: string) {
  const { user, tokens } = await publicClient(AuthService, mesh.publicPort("auth")).register({
    username: `${name}-${randomUUID().slice(0, 8)}`,
    password: "correct horse battery",
    device: { deviceId: `${name}-phone`, platform: Platform.ANDROID, name: "test" },
  });
  if (user === undefined || tokens === undefined) throw new Error("an account without user or tokens");
  return {
    name,
    userId: user.userId,
    query: publicClient(QueryService, mesh.publicPort("query"), tokens.accessToken),
    groups: publicClient(GroupService, mesh.publicPort("group"), tokens.accessToken),
  };
}

/** Makes a group of these users, the first of them its owner; gives its conversation. */
export async function createGroup([owner, ...members]: readonly LogUser[]): Promise<string> {
  if (owner === undefined) throw new Error("a group needs an owner");
  const { group } = await owner.groups.createGroup({
    name: "log",
    memberIds: members.map(({ userId }) => userId),
    clientGroupId: randomUUID(),
  });
  if (group === undefined) throw new Error("no group");
  return group.conversationId;
}

/** The direct conversation of two users. */
export function directOf({ userId: a }: LogUser, { userId: b }: LogUser): string {
  return a < b ? `d_${a}_${b}` : `d_${b}_${a}`;
}
