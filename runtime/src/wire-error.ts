import type { ConnectError } from "@connectrpc/connect";
import type { Failure } from "@oceanchat/gen/oceanchat/errors/v1/failure_pb";
import type { ServiceError } from "./fail.ts";

/** The bytes of `grpc-status-details-bin`: a google.rpc.Status with ErrorInfo, RetryInfo and BadRequest. */
export declare function encodeStatus(error: ServiceError): Uint8Array;
/** The error inside `grpc-status-details-bin`; undefined when the bytes carry no ErrorInfo. */
export declare function decodeStatus(bytes: Uint8Array, cause?: unknown): ServiceError | undefined;
/** The error as an answer to one item of a batched call. */
export declare function toFailure(error: ServiceError): Failure;
/** The error that an item was answered with. */
export declare function fromFailure(failure: Failure): ServiceError;
/** The error as the public door sends it. */
export declare function toConnectError(error: ServiceError): ConnectError;
