import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageAccepted } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import type { Bus } from "@oceanchat/runtime/bus-types";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { reason, saying } from "../support/fakes.ts";
import { checkLog } from "../support/log-checks.ts";
import { entriesOf, type RunningMessage, sendUntilAnswered, startMessage } from "../support/running.ts";

const alice = v7();
const toGroup = (groupId: string) => ({ case: "groupId", value: groupId }) as const;
const say = (groupId: string, text = "hi") => saying(text, { target: toGroup(groupId), clientMessageId: v4() });

describe("message while NATS fails", function () {
  this.timeout(60_000);
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  let bus: Bus;
  const running: RunningMessage[] = [];
  const message = async (env: Record<string, string> = {}) => {
    const started = await startMessage(servers, peers, env);
    running.push(started);
    return started;
  };

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
    bus = await host.bus(servers.natsUrl);
  });
  afterEach(async () => {
    await servers.kill("nats", "SIGCONT");
    await Promise.all(running.splice(0).map((started) => started.stop()));
  });
  after(async () => {
    await host?.stop();
    await peers?.close();
    await servers?.stop();
  });

  it("answers with the stored record when NATS was frozen while it was published", async () => {
    const { send } = await message();
    const groupId = v7();
    await send(alice, say(groupId));
    await servers.kill("nats", "SIGSTOP");
    const request = say(groupId, "while frozen");
    const sending = [send(alice, request), send(alice, say(groupId, "behind it"))];
    await sleep(2500);
    await servers.kill("nats", "SIGCONT");
    const [accepted, behind] = await Promise.all(sending);
    assert.deepEqual([accepted?.seq, accepted?.duplicate, behind?.seq], [2n, false, 3n]);
    const again = await send(alice, { ...request, attempt: 2 });
    assert.deepEqual([again.recordId, again.seq, again.duplicate], [accepted?.recordId, 2n, true]);
    assert.equal((await entriesOf(bus, `g_${groupId}`)).length, 3);
  });

  it("says that the outcome is unknown at the deadline, and a repeat resolves to one record", async () => {
    const { send } = await message({ OCEANCHAT_MESSAGE_APPEND_MS: "2500" });
    const groupId = v7();
    await send(alice, say(groupId));
    await servers.kill("nats", "SIGSTOP");
    const request = say(groupId, "while frozen");
    const behind = say(groupId, "never sent");
    const unknown = assert.rejects(send(alice, request), reason("OUTCOME_UNKNOWN"));
    await assert.rejects(send(alice, behind), reason("UNAVAILABLE"));
    await unknown;
    await servers.kill("nats", "SIGCONT");
    const repeats = await Promise.all([1, 2, 3].map((attempt) => send(alice, { ...request, attempt })));
    assert.equal(new Set(repeats.map(({ recordId }) => recordId)).size, 1);
    assert.deepEqual(new Set(repeats.map(({ seq }) => seq)), new Set([2n]));
    assert.equal((await send(alice, say(groupId))).seq, 3n);
    const stored = (await entriesOf(bus, `g_${groupId}`)).map(({ record }) => record?.recordId);
    assert.deepEqual([stored.length, stored[1]], [3, repeats[0]?.recordId]);
  });

  it("loses nothing that was accepted when NATS is killed in mid-traffic", async () => {
    const { send } = await message();
    const groups = Array.from({ length: 4 }, () => v7());
    const accepted = groups.map(() => new Map<string, MessageAccepted>());
    let killed: Promise<void> | undefined;
    let repeated = 0;
    let sent = 0;
    const write = async (index: number) => {
      const groupId = groups[index];
      assert.ok(groupId);
      while (sent < 2400) {
        if (++sent === 800) killed = servers.kill("nats");
        const request = say(groupId, `${sent}`);
        const { accepted: answer, attempts } = await sendUntilAnswered(send, alice, request);
        accepted[index]?.set(request.clientMessageId, answer);
        if (attempts > 1) repeated++;
      }
    };
    await Promise.all(groups.flatMap((_, index) => [write(index), write(index), write(index)]));
    await killed;
    await servers.untilReady("nats");
    let records = 0;
    for (const [index, groupId] of groups.entries()) {
      const answers = accepted[index] ?? new Map();
      const stored = await checkLog(bus, `g_${groupId}`, answers);
      assert.equal(stored.length, answers.size);
      records += stored.length;
    }
    assert.ok(killed !== undefined && records >= 2400, `${records} records, ${repeated} repeated`);
  });
});
