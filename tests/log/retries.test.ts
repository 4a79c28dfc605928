import assert from "node:assert/strict";
import { check } from "./checker.ts";
import { atRest } from "./support/at-rest.ts";
import type { LogMesh } from "./support/log-mesh.ts";
import { createGroup, registerUser } from "./support/log-user.ts";
import { type Attempted, Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const SENDS = Number(process.env.OCEANCHAT_TEST_SENDS ?? 2_000);
const KILL_MS = Number(process.env.OCEANCHAT_TEST_KILL_MS ?? 1_000);
const CONVERSATIONS = 8;
const AT_ONCE = 64;

describe("sends whose every 10th answer is lost, while instances of message are killed", () => {
  it("become exactly one record each", async function () {
    this.timeout(60_000 + SENDS * 60);
    const mesh = logMesh();
    const users = await Promise.all(["ann", "bob"].map((name) => registerUser(mesh, name)));
    const conversationIds = await Promise.all(Array.from({ length: CONVERSATIONS }, () => createGroup(users)));
    const recorder = new Recorder(mesh);
    let begun = 0;
    const send = async () => {
      for (let number = begun++; number < SENDS; number = begun++) {
        const user = users[number % users.length];
        const conversationId = conversationIds[number % CONVERSATIONS];
        assert.ok(user !== undefined && conversationId !== undefined);
        const operation = recorder.begin(saying(user, conversationId, `send ${number}`));
        await sendOne(recorder, operation, number);
      }
    };
    let sending = true;
    const killing = killInTurns(mesh, () => sending);
    const began = performance.now();
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, send));
    } finally {
      sending = false;
    }
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    const kills = await killing;
    const final = await atRest(mesh, users, conversationIds);
    const messages = final.stream.filter(({ fact }) => fact.kind === "message").length;
    const what = `${SENDS} sends in ${seconds} s, ${kills} instances killed: ${messages} records`;
    console.log(`      ${what}; ${JSON.stringify(recorder.counts())}`);
    assert.deepEqual(check(recorder.history, final), []);
    assert.equal(messages, SENDS);
    assert.equal(recorder.counts().ok, SENDS);
  });
});

/** Kills the instances by turns, each when the other one serves again; gives how many were killed. */
async function killInTurns({ mesh }: LogMesh, goOn: () => boolean): Promise<number> {
  for (let kills = 0; ; kills++) {
    for (let waited = 0; waited < KILL_MS && goOn(); waited += 50)
      await new Promise((resolve) => setTimeout(resolve, 50));
    if (!goOn()) return kills;
    const victim = `message-${(kills % 2) + 1}`;
    await mesh.kill(victim);
    await mesh.untilReady(victim);
  }
}

/** Sends until it is answered; every 10th message's first answer gets lost. A repeat goes where it may: to the other instance too. */
async function sendOne(recorder: Recorder, operation: Attempted, number: number): Promise<void> {
  if (number % 10 === 9) await recorder.try(operation, { instance: number, dropAnswer: true });
  const outcome = await recorder.resolve(operation, number);
  assert.equal(outcome.kind, "ok", JSON.stringify(operation.tries));
}
