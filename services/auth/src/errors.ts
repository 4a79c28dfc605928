import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/auth/v1/error_reason_pb";
import { reasons } from "@oceanchat/runtime/fail";

const fail = reasons("auth.oceanchat", ErrorReasonSchema);

/** The failures that only auth knows. */
export const errors = {
  usernameTaken: () => fail(Code.AlreadyExists, ErrorReason.USERNAME_TAKEN, "this username is taken"),
  invalidCredentials: () =>
    fail(Code.Unauthenticated, ErrorReason.INVALID_CREDENTIALS, "the username or the password is wrong"),
  refreshTokenInvalid: () =>
    fail(Code.Unauthenticated, ErrorReason.REFRESH_TOKEN_INVALID, "the refresh token is not valid (any more)"),
  sessionNotFound: () => fail(Code.NotFound, ErrorReason.SESSION_NOT_FOUND, "there is no such session"),
};
