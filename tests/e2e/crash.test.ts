import assert from "node:assert/strict";
import { MongoClient } from "mongodb";
import { assertConserved } from "../support/conserved.ts";
import { inMesh } from "../support/mode.ts";
import { installation } from "../support/shared-installation.ts";
import { SteadySender } from "../support/steady-sender.ts";
import { TestUser, textTo } from "../support/user.ts";

const MESH = [
  "auth-1",
  "user-1",
  "group-1",
  "message-1",
  "router-1",
  "ws-gateway-1",
  "ws-gateway-2",
  "presence-1",
  "orchestrator-1",
  "pusher-realtime-1",
  "pusher-offline-1",
  "persistence-writer-1",
  "query-1",
];
const SERVICES = inMesh ? MESH : ["standalone"];
const VICTIMS = [...SERVICES, "nats", "valkey", "mongodb", "envoy"];

/** The ids of a conversation's records in the store itself, in order, as soon as there are as many as expected. */
async function untilStored(conversationId: string, expected: number): Promise<string[]> {
  const mongo = await MongoClient.connect(installation().mesh.endpoints.infra.mongodb);
  try {
    const stored = mongo.db("oceanchat").collection<{ recordId: string }>("records");
    const began = Date.now();
    for (;;) {
      const found = await stored.find({ conversationId }).sort({ seq: 1 }).toArray();
      if (found.length >= expected || Date.now() - began > 60_000) return found.map(({ recordId }) => recordId);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  } finally {
    await mongo.close();
  }
}

describe("kill -9 of each process under a light load", () => {
  let sender: SteadySender;
  let alice: TestUser;
  let bob: TestUser;
  let conversationId: string;

  before(async () => {
    const { at } = installation();
    [alice, bob] = await Promise.all([TestUser.register(at, "alice"), TestUser.register(at, "bob")]);
    ({ conversationId } = await alice.createGroup([bob]));
    sender = new SteadySender(alice, conversationId);
    sender.start(5);
  });

  for (const victim of VICTIMS) {
    it(`${victim} is started again and messages go on`, async function () {
      this.timeout(90_000);
      const { mesh } = installation();
      const before = mesh.process(victim);
      await mesh.kill(victim, "SIGKILL");
      await mesh.untilReady(victim);
      const after = mesh.process(victim);
      assert.notEqual(after.pid, before.pid);
      assert.equal(after.restarts, before.restarts + 1);
      const acked = sender.acked.length;
      const began = Date.now();
      while (sender.acked.length < acked + 3) {
        assert.ok(Date.now() - began < 45_000, "no message was acked any more");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  }

  it("lost nothing, doubled nothing, and the order has no gap", async function () {
    this.timeout(120_000);
    const { mesh } = installation();
    await sender.finish();
    await mesh.untilReady();
    assert.deepEqual(sender.refused, []);
    const records = await bob.records(conversationId);
    assertConserved(records, sender.acked);
    assert.deepEqual(
      await untilStored(conversationId, records.length),
      records.map(({ recordId }) => recordId),
    );
    assert.ok(sender.acked.length > 50, `${sender.acked.length} messages were sent`);
  });

  it("delivers as before when all is over", async function () {
    this.timeout(60_000);
    const [a, b] = await Promise.all([alice.connect(), bob.connect()]);
    const accepted = await a.ask(textTo(conversationId, "after all that"), "messageAccepted");
    await b.untilRecord(({ recordId }) => recordId === accepted.recordId, 30_000);
    await Promise.all([a.close(), b.close()]);
  });
});
