import { GroupMeshService } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { GroupService } from "@oceanchat/gen/oceanchat/group/v1/group_service_pb";
import {
  type AppendConversationRecordRequest,
  MessageMeshService,
} from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { implement } from "@oceanchat/runtime/handlers";
import { openTestDoor, startService } from "@oceanchat/runtime/testing";
import { publicClient } from "@oceanchat/runtime/testing-public";
import { start } from "../../src/main.ts";

/** User and message on one door. Users exist unless their id ends with "dead"; message refuses while `away`. */
export async function openFakePeers() {
  const state = { away: false, appended: new Map<string, AppendConversationRecordRequest>() };
  let next = Promise.withResolvers<void>();
  const user = implement(UserMeshService, {
    batchGetProfiles: ({ userIds }) => ({
      users: userIds.filter((userId) => !userId.endsWith("dead")).map((userId) => ({ userId })),
    }),
  });
  const message = implement(MessageMeshService, {
    appendConversationRecord(request) {
      if (state.away) throw shared.unavailable("the log is away");
      const duplicate = state.appended.has(request.idempotencyKey);
      if (!duplicate) state.appended.set(request.idempotencyKey, request);
      if (!duplicate) next.resolve();
      return { duplicate };
    },
  });
  const door = await openTestDoor([user, message]);
  /** Resolves when one more record is appended. */
  const oneMore = () => {
    next = Promise.withResolvers();
    return next.promise;
  };
  return Object.assign(door, { state, oneMore });
}

/** The whole group service on free ports. */
export async function startGroup(mongodbUrl: string, authPort: number, peersPort: number) {
  const { host, served, mesh } = await startService("group", start, {
    OCEANCHAT_MONGODB_URL: mongodbUrl,
    OCEANCHAT_MONGODB_DATABASE: "group",
    OCEANCHAT_AUTH_ADDRESSES: `127.0.0.1:${authPort}`,
    OCEANCHAT_USER_ADDRESSES: `127.0.0.1:${peersPort}`,
    OCEANCHAT_MESSAGE_ADDRESSES: `127.0.0.1:${peersPort}`,
  });
  const port = served.publicPort;
  if (port === undefined) throw new Error("no public door");
  const meshed = await host.peers(GroupMeshService, mesh);
  return {
    as: (token?: string) => publicClient(GroupService, port, token),
    mesh: meshed.call,
    stop: () => host.stop(),
  };
}

export type RunningGroup = Awaited<ReturnType<typeof startGroup>>;
