import assert from "node:assert/strict";
import { shortKeyOf } from "@oceanchat/runtime/short-key";

describe("shortKeyOf", () => {
  it("is the first eight bytes of SHA-256, the same for ever", () => {
    // echo -n abc | sha256sum: ba7816bf8f01cfea…
    assert.equal(shortKeyOf("abc"), BigInt.asIntN(64, 0xba7816bf8f01cfean));
    assert.notEqual(shortKeyOf("g_1"), shortKeyOf("g_2"));
  });
});
