import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "@oceanchat/gen/google/rpc/error_details_pb";
import { StatusSchema } from "@oceanchat/gen/google/rpc/status_pb";
import { FailureSchema } from "@oceanchat/gen/oceanchat/errors/v1/failure_pb";
import { ServiceError, shared } from "@oceanchat/runtime/fail";
import { decodeStatus, encodeStatus, fromFailure, toConnectError, toFailure } from "@oceanchat/runtime/wire-error";

const rich = new ServiceError(Code.FailedPrecondition, "GROUP_DISSOLVED", "group.oceanchat", "the group is gone", {
  metadata: { group_id: "g1" },
  retryAfterMs: 1500,
  violations: [{ field: "items[0].text", description: "too long" }],
  cause: new Error("a secret"),
});
const plain = new ServiceError(Code.NotFound, "NO_SUCH_GROUP", "group.oceanchat", "no such group");

/** What must survive the wire. */
function carried({ code, reason, domain, message, metadata, retryAfterMs, violations }: ServiceError) {
  return { code, reason, domain, message, metadata, retryAfterMs, violations };
}

describe("errors on the wire", () => {
  for (const error of [rich, plain, shared.outcomeUnknown("no answer"), shared.internal(new Error("a secret"))]) {
    it(`carries ${error.reason} as a google.rpc.Status and back`, () => {
      const bytes = encodeStatus(error);
      const back = decodeStatus(bytes);
      assert.ok(back !== undefined);
      assert.deepEqual(carried(back), carried(error));
      assert.doesNotMatch(Buffer.from(bytes).toString("latin1"), /secret/);
    });

    it(`carries ${error.reason} as a Failure and back`, () => {
      const bytes = toBinary(FailureSchema, toFailure(error));
      assert.deepEqual(carried(fromFailure(fromBinary(FailureSchema, bytes))), carried(error));
      assert.doesNotMatch(Buffer.from(bytes).toString("latin1"), /secret/);
    });
  }

  it("keeps the cause that decodeStatus is given, for the log", () => {
    const cause = new Error("grpc");
    assert.equal(decodeStatus(encodeStatus(plain), cause)?.cause, cause);
  });

  it("gives nothing for bytes that are no status or carry no ErrorInfo", () => {
    assert.equal(decodeStatus(Buffer.from("rubbish")), undefined);
    assert.equal(decodeStatus(toBinary(StatusSchema, create(StatusSchema, { code: 5 }))), undefined);
  });

  it("takes a code that does not exist for a defect", () => {
    assert.equal(fromFailure(create(FailureSchema, { code: 99 })).code, Code.Internal);
    assert.equal(fromFailure(create(FailureSchema, { code: 0 })).code, Code.Internal);
  });

  it("becomes a ConnectError with the same details", () => {
    const error = toConnectError(rich);
    assert.equal(error.code, Code.FailedPrecondition);
    assert.equal(error.rawMessage, "the group is gone");
    const [info, retry, bad] = error.details;
    assert.ok(info !== undefined && "desc" in info && info.desc.typeName === ErrorInfoSchema.typeName);
    assert.ok(retry !== undefined && "desc" in retry && retry.desc.typeName === RetryInfoSchema.typeName);
    assert.ok(bad !== undefined && "desc" in bad && bad.desc.typeName === BadRequestSchema.typeName);
  });
});
