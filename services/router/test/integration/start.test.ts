import assert from "node:assert/strict";
import { testHost } from "@oceanchat/runtime/testing";
import { commandSchemas } from "../../src/core/packets.ts";
import { start } from "../../src/main.ts";

describe("router, when it starts", () => {
  it("has the rules of all commands planned before it serves", async () => {
    const host = testHost("router", {
      OCEANCHAT_MESSAGE_ADDRESSES: "127.0.0.1:1",
      OCEANCHAT_QUERY_ADDRESSES: "127.0.0.1:1",
      OCEANCHAT_PRESENCE_ADDRESSES: "127.0.0.1:1",
    });
    const planned = new Set<string>();
    let missing: string[] | undefined;
    await start({
      ...host,
      validate: (schema, request) => {
        planned.add(schema.typeName);
        host.validate(schema, request);
      },
      serve: async () => {
        missing = commandSchemas.map(({ typeName }) => typeName).filter((name) => !planned.has(name));
        return { publicPort: undefined, meshPort: 0 };
      },
    });
    await host.stop();
    assert.ok(planned.has("oceanchat.message.v1.SendMessageRequest"), [...planned].join(", "));
    assert.deepEqual(missing, []);
  });
});
