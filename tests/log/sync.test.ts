import assert from "node:assert/strict";
import { check } from "./checker.ts";
import { atRest } from "./support/at-rest.ts";
import { Device } from "./support/device.ts";
import { createGroup, registerUser } from "./support/log-user.ts";
import { Recorder, saying } from "./support/recorder.ts";
import { logMesh } from "./support/shared-mesh.ts";

describe("a device that syncs after its user was removed from a group", () => {
  it("is told that he has left, and shown nothing of what came after", async function () {
    this.timeout(60_000);
    const mesh = logMesh();
    const users = await Promise.all(["ann", "bob", "eve"].map((name) => registerUser(mesh, name)));
    const [ann, bob, eve] = users;
    assert.ok(ann !== undefined && bob !== undefined && eve !== undefined);
    const conversationIds = [await createGroup([ann, bob]), await createGroup([ann, bob])];
    const recorder = new Recorder(mesh);
    const say = async (text: string) => {
      for (const conversationId of conversationIds) {
        const outcome = await recorder.resolve(recorder.begin(saying(ann, conversationId, text)));
        assert.equal(outcome.kind, "ok");
      }
    };
    const devices = [new Device(bob, recorder), new Device(eve, recorder)];
    const [bobs, eves] = devices;
    await say("before");
    for (const device of devices) await device.sync(1);
    assert.deepEqual([bobs?.heads.size, eves?.heads.size], [2, 0]);
    const [left = "", kept = ""] = conversationIds;
    await ann.groups.removeMember({ groupId: left.slice(2), userId: bob.userId });
    await say("after");
    for (const device of devices) await device.sync(1);
    assert.deepEqual([...(bobs?.heads ?? [])], [[kept, 3]]);
    assert.equal(eves?.heads.size, 0);
    // One that has been away for longer, and a new one.
    await say("later");
    await new Device(bob, recorder).sync(10);
    await bobs?.sync(10);
    const final = await atRest(mesh, users, conversationIds);
    assert.deepEqual(check(recorder.history, final), []);
    const seen = recorder.views.filter(
      ({ conversationId, userId }) => conversationId === left && userId === bob.userId,
    );
    assert.deepEqual(
      Math.max(...seen.flatMap(({ records }) => records.map(({ seq }) => seq))),
      3,
      "the record of his end",
    );
  });
});
