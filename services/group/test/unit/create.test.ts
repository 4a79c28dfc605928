import assert from "node:assert/strict";
import { shared } from "@oceanchat/runtime/fail";
import { refused } from "@oceanchat/runtime/testing";
import { fakeGroups, origin, request, settings } from "../support/fakes.ts";

describe("CreateGroup", () => {
  it("stores the group, its members, and the first record of its conversation", async () => {
    const { core, store, conversations } = fakeGroups();
    const group = await core.create("a", request(), origin);
    assert.deepEqual([group.ownerUserId, group.memberCount, group.version], ["a", 3, 1n]);
    assert.deepEqual(group.settings, settings);
    const roles = [...store.membersById.values()].map(({ userId, role, fromSeq }) => [userId, role, fromSeq]);
    assert.deepEqual(roles, [
      ["a", "owner", 1n],
      ["b", "member", 1n],
      ["c", "member", 1n],
    ]);
    assert.deepEqual(
      conversations.changes(group.groupId).map(({ seq, change }) => [seq, change.actorUserId, change.what]),
      [
        [
          1n,
          "a",
          { kind: "members", joined: ["a", "b", "c"], left: [], removed: [], roles: [], version: 1n, memberCount: 3 },
        ],
      ],
    );
    assert.deepEqual(conversations.attempts, [1]);
    const stored = store.groupsById.get(group.groupId);
    assert.deepEqual([stored?.pending, stored?.version, stored?.memberCount], [undefined, 1n, 3]);
  });

  it("counts nobody twice, the creator neither", async () => {
    const { core } = fakeGroups();
    assert.equal((await core.create("a", request({ memberIds: ["b", "a", "b"] }), origin)).memberCount, 2);
  });

  it("takes the settings that are given", async () => {
    const { core } = fakeGroups();
    const open = { ...settings, joinPolicy: "open" } as const;
    assert.deepEqual((await core.create("a", request({ settings: open }), origin)).settings, open);
  });

  it("refuses unknown members by name, too many, and a blank name, and stores nothing", async () => {
    const { core, store } = fakeGroups(3);
    await refused(core.create("a", request({ memberIds: ["b", "c", "d"] }), origin), "GROUP_FULL");
    const missing = await refused(core.create("a", request({ memberIds: ["x1", "x2"] }), origin), "USER_NOT_FOUND");
    assert.deepEqual(missing.metadata, { user_ids: "x1,x2" });
    await refused(core.create("a", request({ name: "  " }), origin), "INVALID_FIELD");
    assert.equal(store.groupsById.size, 0);
  });

  it("answers a repeat with the same group, in whatever order the members are", async () => {
    const { core, conversations } = fakeGroups();
    const first = await core.create("a", request(), origin);
    const again = await core.create("a", request({ memberIds: ["c", "b"] }), origin);
    assert.equal(again.groupId, first.groupId);
    assert.equal(conversations.attempts.length, 1);
  });

  it("refuses another body under the same key, but the key is the creator's own", async () => {
    const { core } = fakeGroups();
    const first = await core.create("a", request(), origin);
    for (const other of [{ name: "gang" }, { memberIds: ["b"] }, { settings: { ...settings, openHistory: true } }]) {
      await refused(core.create("a", request(other), origin), "IDEMPOTENCY_MISMATCH");
    }
    assert.notEqual((await core.create("b", request({ memberIds: ["c"] }), origin)).groupId, first.groupId);
  });

  it("creates one of fifty at once, with one record", async () => {
    const { core, store, conversations } = fakeGroups();
    const groups = await Promise.all(Array.from({ length: 50 }, () => core.create("a", request(), origin)));
    assert.equal(new Set(groups.map(({ groupId }) => groupId)).size, 1);
    assert.equal(store.groupsById.size, 1);
    const [{ groupId = "" } = {}] = groups;
    assert.equal(conversations.changes(groupId).length, 1);
  });

  it("is not there before its record is, and finished by a repeat", async () => {
    const { core, conversations } = fakeGroups();
    conversations.away = true;
    await refused(core.create("a", request(), origin), "OUTCOME_UNKNOWN");
    assert.deepEqual(await core.listGroups("a", { pageSize: 0, pageToken: "" }), { groups: [], nextPageToken: "" });
    await refused(core.create("a", request(), origin), "UNAVAILABLE");
    conversations.away = false;
    const group = await core.create("a", request(), origin);
    assert.equal(conversations.changes(group.groupId).length, 1);
    assert.deepEqual(conversations.attempts, [1, 2, 2]);
    assert.equal((await core.group("b", group.groupId)).memberCount, 3);
  });

  it("is finished later when nobody repeats it, and not while it can't be", async () => {
    const { core, store, conversations } = fakeGroups();
    conversations.away = true;
    for (let i = 0; i < 5; i++) {
      await refused(core.create("a", request({ clientGroupId: `key ${i}` }), origin), "OUTCOME_UNKNOWN");
    }
    conversations.attempts.length = 0;
    const { finished, failures } = await core.finishUnfinished(100);
    assert.deepEqual([finished, failures.length, conversations.attempts], [0, 3, [2, 2, 2]]);
    conversations.away = false;
    assert.equal((await core.finishUnfinished(2)).finished, 2);
    assert.equal((await core.finishUnfinished(100)).finished, 3);
    assert.equal((await core.finishUnfinished(100)).finished, 0);
    assert.equal(conversations.logs.size, 5);
    assert.ok([...store.groupsById.values()].every(({ pending }) => pending === undefined));
  });

  it("leaves nothing behind when the log will never take its record", async () => {
    const { core, store, conversations } = fakeGroups();
    conversations.refusal = shared.invalidFields([{ field: "record", description: "too large" }]);
    await refused(core.create("a", request(), origin), "INTERNAL");
    assert.equal(store.groupsById.size, 0);
  });
});
