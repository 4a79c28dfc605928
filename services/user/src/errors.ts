import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/user/v1/error_reason_pb";
import { reasons } from "@oceanchat/runtime/fail";

const fail = reasons("user.oceanchat", ErrorReasonSchema);

/** The failures that only user knows. */
export const errors = {
  userNotFound: () => fail(Code.NotFound, ErrorReason.USER_NOT_FOUND, "there is no such user"),
};
