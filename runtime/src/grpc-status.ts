import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { type ServiceError, shared } from "./fail.ts";
import { decodeStatus, encodeStatus } from "./wire-error.ts";

const DETAILS = "grpc-status-details-bin";

/** An error as grpc-js sends it. */
export function toGrpcStatus(error: ServiceError): StatusObject {
  const metadata = new Metadata();
  metadata.set(DETAILS, Buffer.from(encodeStatus(error)));
  // The same numbers under another name.
  const code: number = error.code;
  return { code, details: error.message, metadata };
}

/** How far a call came that ended without an answer of the service itself. */
export type Loss = "never sent" | "unknown";

/**
 * Whether a call was lost on the way, and if so whether it may have been processed. grpc-js gives no other sign than its
 * texts; the tests hold them.
 */
export function lossOf({ code, details, metadata }: StatusObject): Loss | undefined {
  if (metadata.get(DETAILS).length > 0) return undefined;
  if (code === status.UNAVAILABLE) return NEVER_SENT.test(details) ? "never sent" : "unknown";
  if (code === status.INTERNAL && details.startsWith("Failed to start HTTP/2 stream")) return "never sent";
  // A server that ends by force resets its streams with CANCEL; grpc-js calls most other resets INTERNAL, a broken connection too.
  return code === status.CANCELLED || details.startsWith("Received RST_STREAM") ? "unknown" : undefined;
}

const NEVER_SENT = /^(No connection established|Stream refused by server)/;

/** What a call that was lost means to its caller. `what` names it in the text. */
export function lostCall(loss: Loss, what: string, harmless: boolean, cause: unknown): ServiceError {
  return loss === "never sent" || harmless
    ? shared.unavailable(`${what} cannot be reached`, cause)
    : shared.outcomeUnknown(`${what} did not answer`, cause);
}

/**
 * What a failed call means to its caller. `what` names the call in the text. A call that was lost on the way is UNAVAILABLE
 * only when it took certainly no effect.
 */
export function fromGrpcStatus(cause: StatusObject & Error, what: string, harmless: boolean): ServiceError {
  const [details] = cause.metadata.get(DETAILS);
  const sent = details instanceof Buffer ? decodeStatus(details, cause) : undefined;
  if (sent !== undefined) return sent;
  const loss = lossOf(cause);
  if (loss !== undefined) return lostCall(loss, what, harmless, cause);
  if (cause.code === status.DEADLINE_EXCEEDED) return shared.outcomeUnknown(`${what} did not answer`, cause);
  if (cause.code === status.UNIMPLEMENTED) return shared.unimplemented(`${what} is not implemented`);
  return shared.internal(cause);
}
