import assert from "node:assert/strict";
import { Metadata, status } from "@grpc/grpc-js";
import { shared } from "@oceanchat/runtime/fail";
import { fromGrpcStatus, toGrpcStatus } from "@oceanchat/runtime/grpc-status";

describe("what a failed call means", () => {
  const failed = (code: number, details: string) =>
    Object.assign(new Error(details), { code, details, metadata: new Metadata() });
  const reasonOf = (code: number, details: string, harmless: boolean) =>
    fromGrpcStatus(failed(code, details), "the call", harmless).reason;

  it("doesn't take a stream that was reset for a defect", () => {
    const reset = "Received RST_STREAM with code 2 triggered by internal client error: read ECONNRESET";
    assert.equal(reasonOf(status.INTERNAL, reset, false), "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal(reasonOf(status.INTERNAL, reset, true), "ERROR_REASON_UNAVAILABLE");
    assert.equal(reasonOf(status.INTERNAL, "Received RST_STREAM with code 0", false), "ERROR_REASON_OUTCOME_UNKNOWN");
    assert.equal(reasonOf(status.INTERNAL, "an answer that can't be read", false), "ERROR_REASON_INTERNAL");
  });

  it("takes the service's own word first", () => {
    const sent = toGrpcStatus(shared.internal(new Error("a defect")));
    const error = Object.assign(new Error(sent.details), sent);
    assert.equal(fromGrpcStatus(error, "the call", true).reason, "ERROR_REASON_INTERNAL");
  });
});
