import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/gateway/v1/error_reason_pb";
import { reasons, shared } from "@oceanchat/runtime/fail";

const fail = reasons("gateway.oceanchat", ErrorReasonSchema);

/** What a gateway refuses. */
export const errors = {
  tokenMissing: () =>
    shared.tokenInvalid("an access token is required, in the authorization header or as the last subprotocol"),
  originRefused: () => fail(Code.PermissionDenied, ErrorReason.ORIGIN_NOT_ALLOWED, "this origin may not connect"),
  queryRefused: () => shared.malformed("the path takes no query; tokens go into a header or the last subprotocol"),
  noSubprotocol: (known: readonly string[]) =>
    fail(
      Code.InvalidArgument,
      ErrorReason.SUBPROTOCOL_MISSING,
      `offer one of the subprotocols ${known.join(", ")}, and a token as the last one`,
    ),
  notWebSocket: (message: string) => shared.malformed(message),
  notHere: () => shared.unimplemented("there is nothing at this path"),
  full: () =>
    fail(Code.ResourceExhausted, ErrorReason.TOO_MANY_CONNECTIONS, "this gateway has too many connections", {
      retryAfterMs: 5_000,
    }),
  tooManyFromAddress: () =>
    fail(Code.ResourceExhausted, ErrorReason.TOO_MANY_FROM_ADDRESS, "too many connections from this network address", {
      retryAfterMs: 30_000,
    }),
  draining: () => shared.unavailable("this gateway is stopping"),
  frameTooLarge: (cause: unknown) => shared.malformed("the frame is too large", cause),
  tooManyEarly: () => shared.rateLimited(1_000),
  noProxyHeader: (cause: unknown) => shared.malformed("the proxy in front does not say who connects", cause),
  handshakeTooSlow: () => shared.tokenInvalid("no connect packet came in time"),
  notACloseCode: () => shared.invalidFields([{ field: "code", description: "may not be sent" }]),
};
