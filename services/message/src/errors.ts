import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/message/v1/error_reason_pb";
import { reasons } from "@oceanchat/runtime/fail";

const fail = reasons("message.oceanchat", ErrorReasonSchema);

/** The named failures of this service. Nothing was stored. */
export const errors = {
  notAMember: () => fail(Code.PermissionDenied, ErrorReason.NOT_A_MEMBER, "not a member of this conversation"),
  muted: () => fail(Code.PermissionDenied, ErrorReason.MUTED, "muted in this group"),
  allMuted: () => fail(Code.PermissionDenied, ErrorReason.ALL_MUTED, "everybody is muted in this group"),
  mayNotMentionAll: () => fail(Code.PermissionDenied, ErrorReason.MAY_NOT_MENTION_ALL, "may not mention all"),
  blocked: () => fail(Code.PermissionDenied, ErrorReason.BLOCKED, "one of the two blocks the other"),
  notFriends: () => fail(Code.PermissionDenied, ErrorReason.NOT_FRIENDS, "the recipient hears friends only"),
  userNotFound: () => fail(Code.NotFound, ErrorReason.USER_NOT_FOUND, "there is no such recipient"),
  emptyText: () => fail(Code.InvalidArgument, ErrorReason.EMPTY_TEXT, "the text is empty"),
  tooLarge: (size: number, limit: number) =>
    fail(Code.InvalidArgument, ErrorReason.TOO_LARGE, `the record has ${size} bytes, at most ${limit} are allowed`, {
      metadata: { limit: String(limit), size: String(size) },
    }),
  sensitive: () => fail(Code.InvalidArgument, ErrorReason.SENSITIVE, "the message holds a forbidden word"),
  invalidEntity: (index: number) =>
    fail(Code.InvalidArgument, ErrorReason.INVALID_ENTITY, `entity ${index} does not fit the text`),
  tooManyMentions: (limit: number) =>
    fail(Code.InvalidArgument, ErrorReason.TOO_MANY_MENTIONS, `more than ${limit} users are mentioned`),
  messageNotFound: () =>
    fail(Code.NotFound, ErrorReason.MESSAGE_NOT_FOUND, "there is no such message in this conversation"),
  referenceNotFound: (field: "reply_to_seq" | "forwarded_from") =>
    fail(Code.NotFound, ErrorReason.REFERENCE_NOT_FOUND, "the message that is answered or forwarded does not exist", {
      metadata: { field },
    }),
  windowOver: () => fail(Code.FailedPrecondition, ErrorReason.WINDOW_OVER, "it is too late for that"),
  notTheSender: () => fail(Code.PermissionDenied, ErrorReason.NOT_THE_SENDER, "only the sender may do this"),
  tooManyReactions: (limit: number) =>
    fail(
      Code.ResourceExhausted,
      ErrorReason.TOO_MANY_REACTIONS,
      `the message has ${limit} kinds of reactions already`,
      {
        metadata: { limit: String(limit) },
      },
    ),
  self: () => fail(Code.InvalidArgument, ErrorReason.SELF, "one can't write to oneself by user id"),
};
