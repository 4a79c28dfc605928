import assert from "node:assert/strict";
import { check } from "./checker.ts";
import { atRest } from "./support/at-rest.ts";
import { createGroup, registerUser } from "./support/log-user.ts";
import { Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

const MESSAGES = 40;

describe("read cursors that are moved to and fro, through both instances of message", () => {
  it("stay where they were moved furthest", async function () {
    this.timeout(60_000);
    const mesh = logMesh();
    const users = await Promise.all(["ann", "bob"].map((name) => registerUser(mesh, name)));
    const [ann, bob] = users;
    assert.ok(ann !== undefined && bob !== undefined);
    const conversationId = await createGroup(users);
    const recorder = new Recorder(mesh);
    for (let number = 0; number < MESSAGES; number++) {
      await recorder.resolve(recorder.begin(saying(ann, conversationId, `message ${number}`)));
    }
    // Neither instance knows where the other has moved it: the last to arrive is the lowest.
    await recorder.moveCursor(bob.userId, conversationId, 30, 0);
    await recorder.moveCursor(bob.userId, conversationId, 20, 1);
    const soon = await atRest(mesh, users, [conversationId]);
    assert.deepEqual(check(recorder.history, soon), []);
    // And all at once, into one batch of the writer.
    const seqs = [35, 21, 36, 22, 37, 23];
    await Promise.all(seqs.map((seq, index) => recorder.moveCursor(bob.userId, conversationId, seq, index)));
    const final = await atRest(mesh, users, [conversationId]);
    assert.deepEqual(check(recorder.history, final), []);
    const told = final.told.find(({ userId }) => userId === bob.userId);
    assert.deepEqual([told?.readSeq, told?.unread], [37, MESSAGES + 1 - 37]);
    const moves = final.stream.filter(({ fact }) => fact.kind === "read").length;
    assert.ok(moves > 3, "cursors that lie behind are in the log too");
  });
});
