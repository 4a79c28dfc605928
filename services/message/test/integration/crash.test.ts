import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { MessageAccepted, SendMessageRequest } from "@oceanchat/gen/oceanchat/message/v1/message_service_pb";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { parseAddresses } from "@oceanchat/runtime/addresses";
import type { RunningHost } from "@oceanchat/runtime/host";
import { testHost } from "@oceanchat/runtime/testing";
import { v4, v7 } from "uuid";
import { type FakeMeshPeers, openFakePeers } from "../support/fake-peers.ts";
import { saying } from "../support/fakes.ts";
import { checkLog } from "../support/log-checks.ts";
import { envFor, openRouter } from "../support/running.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const alice = v7();

describe("message as a process that is killed", function () {
  this.timeout(60_000);
  let servers: TestServers;
  let peers: FakeMeshPeers;
  let host: RunningHost;
  const children: ChildProcess[] = [];

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ nats: true, mongo: true });
    peers = await openFakePeers();
    host = testHost("test");
  });
  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await host?.stop();
    await peers?.close();
    await servers?.stop();
  });

  /** Resolves when it serves. */
  async function startProcess() {
    const child = spawn(process.execPath, [main], {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env.PATH,
        ...envFor(servers, peers),
        OCEANCHAT_LISTEN_HOST: "127.0.0.1",
        OCEANCHAT_PUBLIC_PORT: "0",
        OCEANCHAT_MESH_PORT: "0",
      },
    });
    children.push(child);
    for await (const line of createInterface(child.stdout)) {
      const entry: { msg?: string; meshPort?: number } = JSON.parse(line);
      if (entry.msg !== "serving") continue;
      child.stdout.resume();
      return { child, router: await openRouter(host, parseAddresses(`127.0.0.1:${entry.meshPort}`)) };
    }
    throw new Error("message ended before it served");
  }

  it("leaves no message twice and none that was accepted behind, and a repeat gets the first answer", async () => {
    const first = await startProcess();
    const groupIds = Array.from({ length: 8 }, () => v7());
    const accepted = new Map(groupIds.map((groupId) => [groupId, new Map<string, MessageAccepted>()]));
    const left: { groupId: string; request: SendMessageRequest }[] = [];
    let sent = 0;
    const write = async (groupId: string) => {
      for (;;) {
        const target = { case: "groupId", value: groupId } as const;
        const request = saying(`${++sent}`, { target, clientMessageId: v4() });
        if (sent === 500) first.child.kill("SIGKILL");
        try {
          accepted.get(groupId)?.set(request.clientMessageId, await first.router.send(alice, request));
        } catch {
          left.push({ groupId, request });
          return;
        }
      }
    };
    await Promise.all([...groupIds, ...groupIds].map(write));
    if (first.child.signalCode === null) await once(first.child, "exit");
    assert.equal(left.length, 16);
    const second = await startProcess();
    const repeat = async (attempt: number) =>
      Promise.all(left.map(({ request }) => second.router.send(alice, { ...request, attempt })));
    const answers = await repeat(2);
    assert.deepEqual(
      (await repeat(3)).map(({ recordId, seq, duplicate }) => [recordId, seq, duplicate]),
      answers.map(({ recordId, seq }) => [recordId, seq, true]),
    );
    for (const [index, { groupId, request }] of left.entries()) {
      const answer = answers[index];
      assert.ok(answer);
      accepted.get(groupId)?.set(request.clientMessageId, answer);
    }
    const bus = await host.bus(servers.natsUrl);
    for (const [groupId, answered] of accepted) {
      const records = await checkLog(bus, `g_${groupId}`, answered);
      assert.equal(records.length, answered.size);
    }
    second.child.kill("SIGTERM");
    const [code] = await once(second.child, "exit");
    assert.equal(code, 0);
  });
});
