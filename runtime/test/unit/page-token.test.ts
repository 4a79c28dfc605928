import assert from "node:assert/strict";
import { Code } from "@connectrpc/connect";
import { ServiceError } from "@oceanchat/runtime/fail";
import { decodePageToken, encodePageToken, pageSizeOf } from "@oceanchat/runtime/page-token";
import { refused } from "@oceanchat/runtime/testing";

const idOf = ({ id }: Readonly<Record<string, unknown>>) => (typeof id === "string" ? id : undefined);

describe("page tokens", () => {
  it("come back as they were given", () => {
    assert.equal(decodePageToken(encodePageToken({ id: "é" }), idOf), "é");
    assert.equal(decodePageToken("", idOf), undefined);
  });

  it("are refused when they were made up", async () => {
    const made = ["x", "e30", "bnVsbA", "WzFd", Buffer.from('{"id":{"$gt":""}}').toString("base64url")];
    for (const token of made) {
      await refused((async () => decodePageToken(token, idOf))(), "INVALID_FIELD");
    }
  });

  it("are refused in the list's own words", () => {
    const own = () => new ServiceError(Code.InvalidArgument, "ERROR_REASON_OWN", "query", "not mine");
    for (const token of ["x", "e30"]) {
      assert.throws(() => decodePageToken(token, idOf, own), { reason: "ERROR_REASON_OWN" });
    }
  });

  it("pages have 50 items when not said, at most 200", () => {
    assert.deepEqual([0, 1, 200, 201].map(pageSizeOf), [50, 1, 200, 200]);
  });
});
