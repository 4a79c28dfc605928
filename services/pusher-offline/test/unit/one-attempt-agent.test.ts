import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { OneAttemptAgent } from "../../src/providers/one-attempt-agent.ts";

describe("OneAttemptAgent", () => {
  it("lets no request through when the time of its send is up", async () => {
    const agent = new OneAttemptAgent({});
    const send = async () => {
      const call = request("https://localhost:1/", { agent });
      call.end();
      await once(call, "response");
    };
    await assert.rejects(agent.run(AbortSignal.abort(), send), { name: "RepeatRefused" });
    await assert.rejects(agent.run(new AbortController().signal, send), { code: "ECONNREFUSED" });
    agent.destroy();
  });
});
