import assert from "node:assert/strict";
import { check } from "./checker.ts";
import { atRest, untilWritten } from "./support/at-rest.ts";
import type { LogMesh } from "./support/log-mesh.ts";
import { createGroup, registerUser } from "./support/log-user.ts";
import { editing, Recorder, reacting, recalling, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const CONSUMER = "persistence-writer";
const MESSAGES = 100;
const LIMIT_MS = 40_000;

describe("the whole log, delivered to the writers again", () => {
  it("changes nothing, and holds nothing up", async function () {
    this.timeout(LIMIT_MS * 4);
    const mesh = logMesh();
    const users = await Promise.all(["ann", "bob"].map((name) => registerUser(mesh, name)));
    const [ann, bob] = users;
    assert.ok(ann !== undefined && bob !== undefined);
    const conversationId = await createGroup(users);
    const recorder = new Recorder(mesh);
    const say = async (number: number) => {
      const outcome = await recorder.resolve(recorder.begin(saying(ann, conversationId, `message ${number}`)));
      assert.ok(outcome.kind === "ok");
      const target = { conversationId, seq: outcome.seq, recordId: outcome.recordId };
      if (number % 10 === 3) await recorder.resolve(recorder.begin(editing(ann.userId, target, `edited ${number}`)));
      if (number % 10 === 6) await recorder.resolve(recorder.begin(recalling(ann.userId, target)));
      if (number % 10 === 9)
        await recorder.resolve(recorder.begin(reacting(bob.userId, target, "🐋", number % 20 === 9)));
      if (number % 10 === 0) await recorder.moveCursor(bob.userId, conversationId, outcome.seq, number / 10);
    };
    for (let number = 0; number < MESSAGES; number++) await say(number);
    await atRest(mesh, users, [conversationId]);
    const before = await changesOf(mesh, conversationId);
    await mesh.jsm.consumers.delete("LOG", CONSUMER);
    // They make it again when they start, and it begins with the first record.
    await Promise.all([1, 2].map((number) => mesh.mesh.kill(`${CONSUMER}-${number}`)));
    await mesh.mesh.untilReady();
    const began = performance.now();
    for (let number = MESSAGES; number < MESSAGES + 10; number++) await say(number);
    const { records } = await untilWritten(mesh, LIMIT_MS);
    console.log(`      ${records} records, ${Math.round(performance.now() - began)} ms`);
    assert.deepEqual((await changesOf(mesh, conversationId)).slice(0, before.length), before);
    const final = await atRest(mesh, users, [conversationId]);
    assert.deepEqual(check(recorder.history, final), []);
  });
});

/** What the store has made of the records that change others, the oldest first. */
async function changesOf({ mongo }: LogMesh, conversationId: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of ["message_states", "reactions"]) {
    const documents = await mongo.db("oceanchat").collection(name).find({ conversationId }).toArray();
    const text = (document: object) =>
      JSON.stringify(document, (_key, value) => (typeof value === "bigint" ? String(value).padStart(6, "0") : value));
    found.push(
      ...documents
        .map(text)
        .filter((each) => !isLater(each))
        .sort(),
    );
  }
  return found;
}

/** Of a message that is said after the redelivery has begun. */
function isLater(text: string): boolean {
  const seq = Number(/"(?:seq|targetSeq)":"(\d+)"/.exec(text)?.[1]);
  return seq > MESSAGES + (MESSAGES / 10) * 3 + 1;
}
