import { create, type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import { StatusSchema } from "@oceanchat/gen/google/rpc/status_pb";
import { type Failure, FailureSchema } from "@oceanchat/gen/oceanchat/errors/v1/failure_pb";
import { type FieldViolation, ServiceError } from "./fail.ts";

/** What an error carries, in the order in which it is sent. */
function detailsOf(error: ServiceError): { desc: DescMessage; value: Message }[] {
  const { reason, domain, metadata, retryAfterMs, violations } = error;
  const details: { desc: DescMessage; value: Message }[] = [
    { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain, metadata: { ...metadata } }) },
  ];
  if (retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(retryAfterMs);
    details.push({ desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) });
  }
  if (violations.length > 0) {
    details.push({ desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations: [...violations] }) });
  }
  return details;
}

/** The bytes of `grpc-status-details-bin`: a google.rpc.Status with ErrorInfo, RetryInfo and BadRequest. */
export function encodeStatus(error: ServiceError): Uint8Array {
  const details = detailsOf(error).map(({ desc, value }) => anyPack(desc, value));
  return toBinary(StatusSchema, create(StatusSchema, { code: error.code, message: error.message, details }));
}

/**
 * The error inside `grpc-status-details-bin`; undefined when there is none, which no door of ours sends: the caller then
 * goes by the plain status code.
 */
export function decodeStatus(bytes: Uint8Array, cause?: unknown): ServiceError | undefined {
  try {
    const { code, message, details } = fromBinary(StatusSchema, bytes);
    const info = unpackFirst(details, ErrorInfoSchema);
    if (info === undefined) return undefined;
    const retryDelay = unpackFirst(details, RetryInfoSchema)?.retryDelay;
    const bad = unpackFirst(details, BadRequestSchema);
    return new ServiceError(codeOf(code), info.reason, info.domain, message, {
      metadata: info.metadata,
      violations: bad?.fieldViolations.map(plainViolation) ?? [],
      cause,
      ...(retryDelay === undefined ? {} : { retryAfterMs: durationMs(retryDelay) }),
    });
  } catch {
    return undefined; // not a google.rpc.Status
  }
}

/** The error as an answer to one item of a batched call. */
export function toFailure(error: ServiceError): Failure {
  return create(FailureSchema, {
    code: error.code,
    reason: error.reason,
    domain: error.domain,
    message: error.message,
    metadata: { ...error.metadata },
    retryAfterMs: error.retryAfterMs ?? 0,
    violations: [...error.violations],
  });
}

/** The error that an item was answered with. */
export function fromFailure(failure: Failure): ServiceError {
  return new ServiceError(codeOf(failure.code), failure.reason, failure.domain, failure.message, {
    metadata: failure.metadata,
    violations: failure.violations.map(plainViolation),
    ...(failure.retryAfterMs > 0 ? { retryAfterMs: failure.retryAfterMs } : {}),
  });
}

/** The error as a caller of the same process gets it: what it was caused by stays with the service, as it does on the wire. */
export function asSent({
  code,
  reason,
  domain,
  message,
  metadata,
  violations,
  retryAfterMs,
}: ServiceError): ServiceError {
  return new ServiceError(code, reason, domain, message, {
    metadata,
    violations,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The error as the public door sends it. */
export function toConnectError(error: ServiceError): ConnectError {
  return new ConnectError(error.message, error.code, undefined, detailsOf(error), error.cause);
}

function unpackFirst<D extends DescMessage>(details: readonly Any[], schema: D): MessageShape<D> | undefined {
  for (const any of details) {
    const value = anyUnpack(any, schema);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** A code that gRPC doesn't define means that the sender has a defect. */
function codeOf(code: number): Code {
  return code >= Code.Canceled && code <= Code.Unauthenticated ? code : Code.Internal;
}

function plainViolation({ field, description }: FieldViolation): FieldViolation {
  return { field, description };
}
