import assert from "node:assert/strict";
import type { MessageAccepted } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { checkLog } from "../support/log-checks.ts";
import { type RunningMessage, startMessage } from "../support/running.ts";

const alice = v7();

describe("message while the log is full", () => {
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  const running: RunningMessage[] = [];
  const message = async (maxBytes: number) => {
    const started = await startMessage(servers, peers, { OCEANCHAT_STREAM_MAX_BYTES: String(maxBytes) });
    running.push(started);
    return started;
  };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
  });
  after(async () => {
    await Promise.all(running.map((started) => started.stop()));
    await host?.stop();
    await peers?.close();
    await servers?.stop();
  });

  it("refuses with OVERLOADED, acknowledges nothing falsely, and goes on when there is room", async () => {
    const { send } = await message(30_000);
    const groupId = v7();
    const say = () => saying("x".repeat(1000), { target: { case: "groupId", value: groupId }, clientMessageId: v4() });
    const accepted = new Map<string, MessageAccepted>();
    const refused: ReturnType<typeof say>[] = [];
    while (refused.length < 3) {
      const request = say();
      try {
        accepted.set(request.clientMessageId, await send(alice, request));
      } catch (error) {
        assert.ok(reason("OVERLOADED")(error), String(error));
        refused.push(request);
      }
    }
    assert.ok(accepted.size > 5);
    const bus = await host.bus(servers.natsUrl);
    assert.equal((await checkLog(bus, `g_${groupId}`, accepted)).length, accepted.size);
    await message(1_000_000);
    for (const request of refused) accepted.set(request.clientMessageId, await send(alice, request));
    assert.equal((await checkLog(bus, `g_${groupId}`, accepted)).length, accepted.size);
  });
});
