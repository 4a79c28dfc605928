import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/errors/v1/error_reason_pb";
import { reasons, SHARED_DOMAIN, shared } from "@oceanchat/runtime/fail";

const fail = reasons(SHARED_DOMAIN, ErrorReasonSchema);
const field = (name: string, description: string) => ({ violations: [{ field: name, description }] });

/** What a gateway refuses. It has no reasons of its own: all are of the domain `oceanchat`. */
export const errors = {
  tokenMissing: () =>
    shared.tokenInvalid("an access token is required, in the authorization header or as the last subprotocol"),
  originRefused: () =>
    fail(
      Code.PermissionDenied,
      ErrorReason.INVALID_FIELD,
      "this origin may not connect",
      field("origin", "is not one of the allowed"),
    ),
  queryRefused: () => shared.malformed("the path takes no query; tokens go into a header or the last subprotocol"),
  noSubprotocol: (known: readonly string[]) =>
    shared.malformed(`offer one of the subprotocols ${known.join(", ")}, and a token as the last one`),
  notWebSocket: (message: string) => shared.malformed(message),
  notHere: () => shared.unimplemented("there is nothing at this path"),
  full: () => shared.overloaded("this gateway has too many connections", 5_000),
  draining: () => shared.unavailable("this gateway is stopping"),
  frameTooLarge: (cause: unknown) => shared.malformed("the frame is too large", cause),
  tooManyEarly: () => shared.rateLimited(1_000),
  handshakeTooSlow: () => shared.tokenInvalid("no connect packet came in time"),
  notACloseCode: () => shared.invalidFields([{ field: "code", description: "may not be sent" }]),
};
