import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/group/v1/error_reason_pb";
import { reasons } from "@oceanchat/runtime/fail";

const fail = reasons("group.oceanchat", ErrorReasonSchema);

/** Ids that an error lists; metadata travels in headers, which are bounded. */
const MAX_LISTED = 20;

/** The failures that only group knows. */
export const errors = {
  groupNotFound: () => fail(Code.NotFound, ErrorReason.GROUP_NOT_FOUND, "there is no such group"),
  userNotFound: (userIds: readonly string[]) =>
    fail(Code.NotFound, ErrorReason.USER_NOT_FOUND, "there is no such user", {
      metadata: { user_ids: userIds.slice(0, MAX_LISTED).join(",") },
    }),
  groupFull: (maxMembers: number) =>
    fail(Code.ResourceExhausted, ErrorReason.GROUP_FULL, `a group has at most ${maxMembers} members`),
  roleTooLow: () => fail(Code.PermissionDenied, ErrorReason.ROLE_TOO_LOW, "the caller's role doesn't allow it"),
  memberNotFound: () => fail(Code.NotFound, ErrorReason.MEMBER_NOT_FOUND, "that user isn't a member"),
  ownerMayNotLeave: () =>
    fail(
      Code.FailedPrecondition,
      ErrorReason.OWNER_MAY_NOT_LEAVE,
      "the owner can't leave before the group is transferred",
    ),
  /** Only for those who know the group: to others it doesn't exist. */
  inviteOnly: () => fail(Code.PermissionDenied, ErrorReason.INVITE_ONLY, "one comes in by invitation only"),
};
