import assert from "node:assert/strict";
import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { PublishError } from "@oceanchat/runtime/bus-types";
import { publishHeaders } from "@oceanchat/runtime/publish-headers";

/** The bytes that the driver asks headers for. */
function sent(given: MsgHdrs): string {
  assert.ok("encode" in given && typeof given.encode === "function");
  return Buffer.from(given.encode()).toString();
}

describe("publishHeaders", () => {
  it("are sent as the driver's own", () => {
    const own = headers();
    own.set("X-Why", "größer ");
    own.append("Nats-Expected-Stream", "LOG");
    own.append("Nats-Msg-Id", "user:message");
    own.append("Nats-Expected-Last-Subject-Sequence", "0");
    own.append("traceparent", "00-1-2-01");
    const options = { messageId: "user:message", expectLastSubjectSequence: 0, traceparent: "00-1-2-01" };
    assert.equal(sent(publishHeaders({ expectStream: "LOG", headers: { "X-Why": "größer " }, ...options })), sent(own));
  });

  it("leave out what isn't given", () => {
    const options = { expectStream: "LOG", traceparent: "" };
    assert.equal(sent(publishHeaders(options)), "NATS/1.0\r\nNats-Expected-Stream: LOG\r\n\r\n");
  });

  for (const bad of [
    { messageId: "a\r\nNats-Rollup: all" },
    { messageId: "" },
    { traceparent: "a\r\nNats-Rollup: all" },
    { headers: { "X-Why": "a\r\nNats-Rollup: all" } },
    { headers: { "X:\r\n": "a" } },
  ]) {
    it(`refuse ${JSON.stringify(bad)}`, () => {
      assert.throws(
        () => publishHeaders({ expectStream: "LOG", ...bad }),
        (error) => error instanceof PublishError && error.kind === "refused",
      );
    });
  }
});
