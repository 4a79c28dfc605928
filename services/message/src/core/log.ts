import type { SendMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { errors } from "../errors.ts";

/** The log of a group's conversation. */
export interface GroupLog {
  readonly kind: "group";
  readonly id: string;
  readonly groupId: string;
}

/** The log of a direct conversation. */
export interface DirectLog {
  readonly kind: "direct";
  readonly id: string;
  /** Two different users in ascending order. */
  readonly userIds: readonly [string, string];
}

/** A user's own log. */
export interface UserLog {
  readonly kind: "user";
  readonly id: string;
  readonly userId: string;
}

/** A log and who may see it. */
export type Log = GroupLog | DirectLog | UserLog;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ID_LENGTH = 36;

/** The id in lower case; throws INVALID_FIELD when it isn't a UUID. */
export function uuidOf(field: string, text: string): string {
  const id = text.toLowerCase();
  if (!UUID.test(id)) throw shared.invalidFields([{ field, description: "must be a UUID" }]);
  return id;
}

/** The conversation of a group. */
export function groupLog(groupId: string): GroupLog {
  return { kind: "group", id: `g_${groupId}`, groupId };
}

/** The conversation of two different users. */
export function directLog(one: string, other: string): DirectLog {
  const userIds = one < other ? ([one, other] as const) : ([other, one] as const);
  return { kind: "direct", id: `d_${userIds[0]}_${userIds[1]}`, userIds };
}

/** A user's own log. */
export function userLog(userId: string): UserLog {
  return { kind: "user", id: `u_${userId}`, userId };
}

/** The conversation of that id; undefined when no conversation can have it. */
export function conversationLog(id: string): GroupLog | DirectLog | undefined {
  if (id.startsWith("g_")) {
    const groupId = id.slice(2);
    return UUID.test(groupId) ? groupLog(groupId) : undefined;
  }
  if (!id.startsWith("d_") || id.charAt(2 + ID_LENGTH) !== "_") return undefined;
  const lower = id.slice(2, 2 + ID_LENGTH);
  const higher = id.slice(2 + ID_LENGTH + 1);
  return UUID.test(lower) && UUID.test(higher) && lower < higher ? directLog(lower, higher) : undefined;
}

/** Where a user's message goes. An id that no conversation of his can have is treated like one that he isn't a member of. */
export function targetLog(target: SendMessageRequest["target"], senderUserId: string): GroupLog | DirectLog {
  switch (target.case) {
    case "groupId":
      return groupLog(uuidOf("group_id", target.value));
    case "userId": {
      const recipient = uuidOf("user_id", target.value);
      if (recipient === senderUserId) throw errors.self();
      return directLog(senderUserId, recipient);
    }
    case "conversationId": {
      const log = conversationLog(target.value);
      if (log === undefined) throw errors.notAMember();
      if (log.kind === "direct" && !log.userIds.includes(senderUserId)) throw errors.notAMember();
      return log;
    }
    default:
      throw shared.invalidFields([{ field: "target", description: "exactly one is required" }]);
  }
}

/** The other one of a direct conversation. */
export function otherOf({ userIds }: DirectLog, userId: string): string {
  return userIds[0] === userId ? userIds[1] : userIds[0];
}
