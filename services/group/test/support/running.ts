import { timestampFromMs } from "@bufbuild/protobuf/wkt";
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

/** What message keeps: the records of each conversation, in order; messages have no key. */
export interface FakeLog {
  readonly key: string;
  readonly record: AppendConversationRecordRequest["record"];
  readonly attempt: number;
}

/** User and message on one door. Users exist unless their id ends with "dead"; message refuses while `away`. */
export async function openFakePeers() {
  const logs = new Map<string, FakeLog[]>();
  const state = { away: false };
  let appended = 0;
  const waiting = new Map<number, () => void>();
  const logOf = (conversationId: string) => {
    const log = logs.get(conversationId) ?? [];
    logs.set(conversationId, log);
    return log;
  };
  const user = implement(UserMeshService, {
    batchGetProfiles: ({ userIds }) => ({
      users: userIds.filter((userId) => !userId.endsWith("dead")).map((userId) => ({ userId })),
    }),
  });
  const message = implement(MessageMeshService, {
    appendConversationRecord({ conversationId, idempotencyKey: key, record, attempt }) {
      if (state.away) throw shared.unavailable("the log is away");
      const log = logOf(conversationId);
      const known = log.findIndex((each) => each.key === key);
      const seq = known >= 0 ? known + 1 : log.push({ key, record, attempt });
      if (known < 0) waiting.get(++appended)?.();
      const acceptedTime = timestampFromMs(1_700_000_000_000 + seq);
      return { record: { conversationId, seq: BigInt(seq), acceptedTime }, duplicate: known >= 0 };
    },
  });
  const door = await openTestDoor([user, message]);
  /** Resolves when so many more records have been appended than when it is called. */
  const more = (count: number) => new Promise<void>((resolve) => waiting.set(appended + count, resolve));
  /** Somebody writes something; its seq. */
  const say = (conversationId: string) =>
    BigInt(logOf(conversationId).push({ key: "", record: undefined, attempt: 1 }));
  return Object.assign(door, { state, more, logOf, say });
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
