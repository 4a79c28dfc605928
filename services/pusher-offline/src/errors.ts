import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/push/v1/error_reason_pb";
import { reasons } from "@oceanchat/runtime/fail";

const fail = reasons("push.oceanchat", ErrorReasonSchema);

/** Why pusher-offline refuses. */
export const errors = {
  providerNotConfigured: (provider: string) =>
    fail(Code.FailedPrecondition, ErrorReason.PROVIDER_NOT_CONFIGURED, "this installation has no such provider", {
      metadata: { provider },
    }),
  tooManyTokens: (limit: number) =>
    fail(Code.ResourceExhausted, ErrorReason.TOO_MANY_TOKENS, `a user has at most ${limit} registered devices`, {
      metadata: { limit: String(limit) },
    }),
};
