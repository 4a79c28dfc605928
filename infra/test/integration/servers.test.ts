import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { redisProbe, tcpProbe } from "@oceanchat/infra/probe";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { natsRequest } from "../support/nats-client.ts";

describe("startServers", function () {
  this.timeout(300_000); // a fresh machine installs the wheels first
  let servers: TestServers;
  const port = (url: string): number => Number(new URL(url).port);

  before(async () => {
    servers = await startServers({ nats: true, valkey: true, mongo: true });
  });
  after(() => servers.stop());

  it("starts the three, each at its own port", async () => {
    await redisProbe(port(servers.redisUrl))(AbortSignal.timeout(10_000));
    await tcpProbe(port(servers.mongodbUrl))(AbortSignal.timeout(10_000));
    const answer = await natsRequest(servers.natsUrl, "$JS.API.INFO", "");
    assert.equal(answer.type, "io.nats.jetstream.api.v1.account_info_response");
    assert.ok(existsSync(servers.logs("nats")));
  });

  it("brings NATS back after kill -9 with what it had stored, at the same port", async () => {
    const stream = JSON.stringify({
      name: "T",
      subjects: ["t"],
      retention: "limits",
      storage: "file",
      num_replicas: 1,
    });
    assert.equal((await natsRequest(servers.natsUrl, "$JS.API.STREAM.CREATE.T", stream)).error, undefined);
    assert.equal((await natsRequest(servers.natsUrl, "t", "kept")).seq, 1);
    await servers.kill("nats");
    await assert.rejects(tcpProbe(port(servers.natsUrl))(AbortSignal.timeout(10_000)));
    await servers.untilReady("nats");
    assert.equal((await natsRequest(servers.natsUrl, "t", "next")).seq, 2);
  });

  it("brings the others back, too", async () => {
    await Promise.all([servers.kill("valkey"), servers.kill("mongodb")]);
    await servers.untilReady();
    await redisProbe(port(servers.redisUrl))(AbortSignal.timeout(10_000));
    await tcpProbe(port(servers.mongodbUrl))(AbortSignal.timeout(10_000));
  });

  it("says so when a server was not asked for", async () => {
    const none = await startServers({});
    assert.equal(none.natsUrl, "");
    await assert.rejects(none.kill("nats"), /no process "nats"/);
    await none.stop();
  });
});
