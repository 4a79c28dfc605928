import type { DescEnum } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorReason, ErrorReasonSchema } from "@oceanchat/gen/oceanchat/errors/v1/error_reason_pb";

/** A field that breaks its rule, as it is sent in `google.rpc.BadRequest`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What an error carries beyond its reason. */
export interface ErrorExtra {
  /** Facts for programs, sent to the caller. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When the caller may try again, in milliseconds: `google.rpc.RetryInfo` and `retryAfter` on the socket. */
  readonly retryAfterMs?: number;
  /** Which fields are wrong. */
  readonly violations?: readonly FieldViolation[];
  /** What went wrong underneath: logged, never sent. */
  readonly cause?: unknown;
}

/** The one error that leaves a service: a status code, a stable reason and a text for people. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: Code;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;
  readonly violations: readonly FieldViolation[];

  constructor(code: Code, reason: string, domain: string, message: string, extra: ErrorExtra = {}) {
    super(message, { cause: extra.cause });
    this.code = code;
    this.reason = reason;
    this.domain = domain;
    this.metadata = extra.metadata ?? {};
    this.retryAfterMs = extra.retryAfterMs;
    this.violations = extra.violations ?? [];
  }
}

/** Builds errors of one domain: `const fail = reasons("group.oceanchat", ErrorReasonSchema)`. */
export function reasons(domain: string, schema: DescEnum) {
  return (code: Code, reason: number, message: string, extra?: ErrorExtra): ServiceError => {
    const value = schema.value[reason];
    if (value === undefined) throw new TypeError(`${schema.typeName} has no value ${reason}`);
    return new ServiceError(code, value.name, domain, message, extra);
  };
}

/** The domain of the reasons that any service may give. */
export const SHARED_DOMAIN = "oceanchat";
const fail = reasons(SHARED_DOMAIN, ErrorReasonSchema);

/** Errors that any service may answer with (`oceanchat.errors.v1.ErrorReason`). */
export const shared = {
  invalidFields: (violations: readonly FieldViolation[]) =>
    fail(
      Code.InvalidArgument,
      ErrorReason.INVALID_FIELD,
      violations.map((v) => `${v.field}: ${v.description}`).join("; ") || "invalid request",
      { violations },
    ),
  malformed: (message: string, cause?: unknown) =>
    fail(Code.InvalidArgument, ErrorReason.MALFORMED, message, { cause }),
  tokenInvalid: (message: string, cause?: unknown) =>
    fail(Code.Unauthenticated, ErrorReason.TOKEN_INVALID, message, { cause }),
  sessionRevoked: () => fail(Code.Unauthenticated, ErrorReason.SESSION_REVOKED, "the session was revoked"),
  rateLimited: (retryAfterMs: number) =>
    fail(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, "too many calls", { retryAfterMs }),
  overloaded: (message: string, retryAfterMs = 1000) =>
    fail(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs }),
  unavailable: (message: string, cause?: unknown, retryAfterMs = 1000) =>
    fail(Code.Unavailable, ErrorReason.UNAVAILABLE, message, { cause, retryAfterMs }),
  outcomeUnknown: (message: string, cause?: unknown) =>
    fail(Code.DeadlineExceeded, ErrorReason.OUTCOME_UNKNOWN, message, { cause, retryAfterMs: 1000 }),
  unimplemented: (message: string) => fail(Code.Unimplemented, ErrorReason.UNIMPLEMENTED, message),
  idempotencyMismatch: () =>
    fail(Code.AlreadyExists, ErrorReason.IDEMPOTENCY_MISMATCH, "the idempotency key was used with another body"),
  internal: (cause?: unknown) => fail(Code.Internal, ErrorReason.INTERNAL, "internal error", { cause }),
};

/** Turns whatever was thrown into the error that may leave: what is not a ServiceError becomes INTERNAL, its cause kept for the log. */
export function toServiceError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  if (thrown instanceof ConnectError && thrown.code === Code.Unimplemented)
    return shared.unimplemented(thrown.rawMessage);
  return shared.internal(thrown);
}
