import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { PublishError } from "@oceanchat/runtime/bus-types";

describe("PublishError", () => {
  for (const [kind, code] of [
    ["conflict", Code.Unavailable],
    ["full", Code.ResourceExhausted],
    ["unknown", Code.DeadlineExceeded],
    ["refused", Code.Internal],
    ["overloaded", Code.ResourceExhausted],
    ["unavailable", Code.Unavailable],
  ] as const) {
    it(`shows ${kind} to a caller as ${Code[code]}`, () => {
      assert.equal(new PublishError(kind, "why").toServiceError().code, code);
    });
  }
});
