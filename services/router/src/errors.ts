import { Code } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/gateway/v1/error_reason_pb";
import { type FieldViolation, reasons, shared } from "@oceanchat/runtime/fail";

const ofTheSocket = reasons("gateway.oceanchat", ErrorReasonSchema);

/** What the router itself refuses: reasons that any service may give, and one of the socket's. */
export const errors = {
  notAPacket: (cause: unknown) => shared.malformed("the frame is not a packet", cause),
  unreadable: (text: string) => shared.malformed(text),
  noCommand: () => shared.malformed("the packet holds no command"),
  unknownCommand: (name: string) => shared.unimplemented(`there is no command ${name} in this version`),
  alreadyConnected: () => shared.malformed("connect is only for the first frame of a TCP connection"),
  invalidFields: (violations: readonly FieldViolation[]) => shared.invalidFields(violations),
  rateLimited: (waitMs: number) => shared.rateLimited(waitMs),
  requestIdInUse: () =>
    ofTheSocket(
      Code.AlreadyExists,
      ErrorReason.REQUEST_ID_IN_USE,
      "another packet with this request id waits for its answer",
    ),
  leftAlone: (target: string, waitMs: number) => shared.unavailable(`${target} does not answer`, undefined, waitMs),
  wrongAnswer: (command: string) => shared.internal(new Error(`${command} was answered with something else`)),
};
