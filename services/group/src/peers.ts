import { timestampDate } from "@bufbuild/protobuf/wkt";
import { AuthMeshService } from "@oceanchat/gen/oceanchat/auth/v1/auth_mesh_service_pb";
import { MessageMeshService } from "@oceanchat/gen/oceanchat/message/v1/message_mesh_service_pb";
import { UserMeshService } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import type { AddressSource } from "@oceanchat/runtime/addresses";
import { shared } from "@oceanchat/runtime/fail";
import type { Host } from "@oceanchat/runtime/host";
import type { PublicJwk } from "@oceanchat/runtime/token";
import type { Conversations, Users } from "./ports.ts";
import { recordOf } from "./wire.ts";

/** An append waits for the log to be durable. */
const APPEND_MS = 5_000;

/** The services that group calls. */
export interface GroupPeers {
  readonly users: Users;
  readonly conversations: Conversations;
  /** The keys that auth signs access tokens with. */
  readonly signingKeys: () => Promise<readonly PublicJwk[]>;
}

export async function openPeers(
  host: Host,
  at: { readonly auth: AddressSource; readonly user: AddressSource; readonly message: AddressSource },
): Promise<GroupPeers> {
  const [auth, user, message] = await Promise.all([
    host.peers(AuthMeshService, at.auth),
    host.peers(UserMeshService, at.user),
    host.peers(MessageMeshService, at.message, { timeoutMs: APPEND_MS }),
  ]);
  return {
    signingKeys: async () => (await auth.call.getSigningKeys({})).keys,
    users: {
      async unknown(userIds, origin) {
        if (userIds.length === 0) return [];
        const { users } = await user.call.batchGetProfiles({ userIds: [...userIds] }, origin);
        const known = new Set(users.map(({ userId }) => userId));
        return userIds.filter((userId) => !known.has(userId));
      },
    },
    conversations: {
      async append({ groupId, change, attempt }, origin) {
        const conversationId = `g_${groupId}`;
        const idempotencyKey = `group:${change.changeId}`;
        const { record } = await message.call.appendConversationRecord(
          { conversationId, idempotencyKey, record: recordOf(change), attempt },
          { ...origin, key: conversationId },
        );
        if (record?.acceptedTime === undefined)
          throw shared.internal(new TypeError("message answered without the record"));
        return { seq: record.seq, time: timestampDate(record.acceptedTime) };
      },
    },
  };
}
