import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { check } from "./checker.ts";
import { atRest, loggedOf } from "./support/at-rest.ts";
import { Load, memoryOf, untilStored } from "./support/load.ts";
import { createGroup, type LogUser, registerUser } from "./support/log-user.ts";
import { Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

/** Sizes: those of CI, or with OCEANCHAT_TEST_FAULTS=full those that figures are measured with (then with the fast store). */
const FULL = process.env.OCEANCHAT_TEST_FAULTS === "full";
const PER_SECOND = FULL ? 500 : 50;
const STORE_STOPPED_MS = FULL ? 60_000 : 8_000;
const NATS_STOPPED_MS = FULL ? 10_000 : 3_000;
const CONVERSATIONS = 8;
/** How long a reader waits for an answer. */
const READ_MS = 3_000;
const WRITERS = ["persistence-writer-1", "persistence-writer-2"];

/** Two users, their groups, and a load on them. */
async function begin() {
  const mesh = logMesh();
  const users = await Promise.all(["ann", "bob"].map((name) => registerUser(mesh, name)));
  const conversationIds = await Promise.all(Array.from({ length: CONVERSATIONS }, () => createGroup(users)));
  const recorder = new Recorder(mesh);
  const load = new Load(recorder, users, conversationIds, PER_SECOND);
  /** Everything is answered, at rest and sound. */
  const settle = async () => {
    await load.stop();
    await mesh.mesh.untilReady();
    await load.resolve();
    const final = await atRest(mesh, users, conversationIds, FULL ? 300_000 : 60_000);
    assert.deepEqual(check(recorder.history, final).slice(0, 10), []);
    const messages = final.stream.filter(({ fact }) => fact.kind === "message").length;
    assert.equal(messages, recorder.counts().ok, "exactly what was accepted is stored");
    return { messages, ...recorder.counts() };
  };
  return { mesh, users, conversationIds, recorder, load, settle };
}

const report = (facts: object) => console.log(`      ${JSON.stringify(facts)}`);

describe("the message log while the store is stopped", () => {
  it("accepts what is sent, and stores it when the store is back", async function () {
    this.timeout(STORE_STOPPED_MS * 4 + 120_000);
    const { mesh, users, conversationIds, load, settle } = await begin();
    load.start();
    await sleep(2_000);
    const memory = { before: memoryOf(mesh, WRITERS), stopped: [0], after: [0] };
    const storedBefore = (await untilStored(mesh, conversationIds, 0, 1_000)).stored;
    await mesh.storeServer.kill("mongodb", "SIGSTOP");
    const stopped = performance.now();
    const reads = readOn(users[1], conversationIds, () => performance.now() < stopped + STORE_STOPPED_MS);
    await sleep(STORE_STOPPED_MS);
    memory.stopped = memoryOf(mesh, WRITERS);
    await mesh.storeServer.kill("mongodb", "SIGCONT");
    const back = performance.now();
    const answered = await reads;
    const inLog = await Promise.all(conversationIds.map((each) => loggedOf(mesh, each)));
    const behind = inLog.flat().length;
    const { tookMs } = await untilStored(mesh, conversationIds, behind, STORE_STOPPED_MS * 2 + 30_000);
    const caughtUpMs = Math.round(performance.now() - back);
    memory.after = memoryOf(mesh, WRITERS);
    const during = load.phase(stopped, back);
    const counts = await settle();
    // What came while the store was away, and what came since.
    const rate = Math.round(((behind - storedBefore) * 1000) / caughtUpMs);
    report({
      perSecond: PER_SECOND,
      stoppedMs: STORE_STOPPED_MS,
      during,
      reads: answered,
      caughtUpMs,
      tookMs,
      rate,
      memory,
      counts,
    });
    assert.equal(during.ok, during.sent, "sends go on");
    assert.deepEqual(Object.keys(answered), ["ok", "ok, slowest ms"], "what was said last can be read");
    for (const [index, megabytes] of memory.stopped.entries()) {
      assert.ok(megabytes < (memory.before[index] ?? 0) + 100, `a writer grew to ${megabytes} MB`);
    }
  });
});

/** Reads the newest records again and again; gives how often that was answered, and with what when it wasn't. */
async function readOn(user: LogUser | undefined, conversationIds: readonly string[], goOn: () => boolean) {
  const answers: Record<string, number> = {};
  for (let turn = 0; goOn(); turn++) {
    const conversationId = conversationIds[turn % conversationIds.length] ?? "";
    const began = performance.now();
    let answer = "ok";
    try {
      await user?.query.listRecords({ conversationId, limit: 20 }, { timeoutMs: READ_MS });
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      answer = Code[error.code];
    }
    answers[answer] = (answers[answer] ?? 0) + 1;
    const slowest = `${answer}, slowest ms`;
    answers[slowest] = Math.round(Math.max(answers[slowest] ?? 0, performance.now() - began));
    await sleep(100);
  }
  return answers;
}

describe("the message log while NATS is away", () => {
  it("loses nothing that was accepted when NATS is frozen", async function () {
    this.timeout(NATS_STOPPED_MS * 2 + 120_000);
    const { mesh, load, settle } = await begin();
    load.start();
    await sleep(1_000);
    await mesh.mesh.kill("nats", "SIGSTOP");
    const stopped = performance.now();
    await sleep(NATS_STOPPED_MS);
    await mesh.mesh.kill("nats", "SIGCONT");
    const back = performance.now();
    await sleep(2_000);
    const counts = await settle();
    const recoveredMs = load.recoveredAfterMs(back);
    report({ stoppedMs: NATS_STOPPED_MS, during: load.phase(stopped, back), recoveredMs, counts });
  });

  it("loses nothing that was accepted when NATS is killed, again and again", async function () {
    this.timeout(NATS_STOPPED_MS * 2 + 120_000);
    const { mesh, load, settle } = await begin();
    load.start();
    await sleep(1_000);
    const stopped = performance.now();
    let kills = 0;
    while (performance.now() < stopped + NATS_STOPPED_MS) {
      if (mesh.mesh.process("nats").pid !== 0) {
        await mesh.mesh.kill("nats");
        kills++;
      }
      await sleep(50);
    }
    await mesh.mesh.untilReady("nats");
    const back = performance.now();
    await sleep(2_000);
    const counts = await settle();
    const recoveredMs = load.recoveredAfterMs(back);
    report({ awayMs: Math.round(back - stopped), kills, during: load.phase(stopped, back), recoveredMs, counts });
  });
});

describe("the message log when it is full", () => {
  it("refuses, accepts nothing falsely, and goes on when there is room", async function () {
    this.timeout(120_000);
    const { mesh, users, conversationIds, recorder, settle } = await begin();
    const { jsm } = mesh;
    const { config, state } = await jsm.streams.info("LOG");
    await jsm.streams.update("LOG", { ...config, max_bytes: state.bytes + 40_000 });
    for (let number = 0; number < 120; number++) {
      const [user, conversationId] = [users[number % 2], conversationIds[number % CONVERSATIONS]];
      assert.ok(user !== undefined && conversationId !== undefined);
      const operation = recorder.begin(saying(user, conversationId, `${number} ${"x".repeat(1000)}`));
      await recorder.try(operation, { instance: number });
    }
    const { tries } = recorder.counts();
    assert.deepEqual(Object.keys(tries).sort(), ["OVERLOADED", "ok"]);
    assert.ok((tries.ok ?? 0) > 5 && (tries.OVERLOADED ?? 0) > 5, JSON.stringify(tries));
    await jsm.streams.update("LOG", { ...config });
    for (const operation of recorder.operations) {
      if (operation.tries.every(({ outcome }) => outcome.kind !== "ok")) await recorder.resolve(operation);
    }
    const counts = await settle();
    assert.equal(counts.ok, 120);
    report(counts);
  });
});
