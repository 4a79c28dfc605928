import assert from "node:assert/strict";
import { JoinPolicy } from "@oceanchat/gen/oceanchat/group/v1/group_pb";
import { refused } from "@oceanchat/runtime/testing";
import { fakeGroups, origin, request } from "../support/fakes.ts";

describe("CreateGroup", () => {
  it("stores the group, its members, and the first record of its conversation", async () => {
    const { core, store, conversations } = fakeGroups();
    const group = await core.create("a", request(), origin);
    assert.deepEqual([group.ownerUserId, group.memberCount, group.version], ["a", 3, 1n]);
    assert.deepEqual(group.settings, {
      joinPolicy: "inviteOnly",
      membersMayInvite: true,
      membersMayMentionAll: false,
      openHistory: false,
    });
    const roles = [...store.membersById.values()].map(({ userId, role, fromSeq }) => [userId, role, fromSeq]);
    assert.deepEqual(roles, [
      ["a", "owner", 1n],
      ["b", "member", 1n],
      ["c", "member", 1n],
    ]);
    assert.deepEqual(
      [...conversations.records.values()],
      [
        {
          groupId: group.groupId,
          idempotencyKey: `group:${group.groupId}:created`,
          joined: ["a", "b", "c"],
          actorUserId: "a",
          version: 1n,
        },
      ],
    );
    assert.equal(store.groupsById.get(group.groupId)?.pendingMemberIds, undefined);
  });

  it("counts nobody twice, the creator neither", async () => {
    const { core } = fakeGroups();
    assert.equal((await core.create("a", request({ memberIds: ["b", "a", "B"] }), origin)).memberCount, 2);
  });

  it("takes the settings that are given", async () => {
    const { core } = fakeGroups();
    const settings = { joinPolicy: JoinPolicy.OPEN, membersMayMentionAll: true };
    const group = await core.create("a", request({ settings }), origin);
    assert.deepEqual(group.settings, {
      joinPolicy: "open",
      membersMayInvite: false,
      membersMayMentionAll: true,
      openHistory: false,
    });
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
    assert.equal(conversations.calls, 1);
  });

  it("refuses another body under the same key, but the key is the creator's own", async () => {
    const { core } = fakeGroups();
    const first = await core.create("a", request(), origin);
    for (const other of [{ name: "gang" }, { memberIds: ["b"] }, { settings: { openHistory: true } }]) {
      await refused(core.create("a", request(other), origin), "IDEMPOTENCY_MISMATCH");
    }
    assert.notEqual((await core.create("b", request({ memberIds: ["c"] }), origin)).groupId, first.groupId);
  });

  it("creates one of fifty at once, with one record", async () => {
    const { core, store, conversations } = fakeGroups();
    const groups = await Promise.all(Array.from({ length: 50 }, () => core.create("a", request(), origin)));
    assert.equal(new Set(groups.map(({ groupId }) => groupId)).size, 1);
    assert.equal(store.groupsById.size, 1);
    assert.equal(conversations.records.size, 1);
  });

  it("is finished by a repeat when the record couldn't be appended", async () => {
    const { core, store, conversations } = fakeGroups();
    conversations.away = true;
    await refused(core.create("a", request(), origin), "OUTCOME_UNKNOWN");
    conversations.away = false;
    const group = await core.create("a", request(), origin);
    assert.equal(conversations.records.size, 1);
    assert.equal(store.groupsById.get(group.groupId)?.pendingMemberIds, undefined);
  });

  it("is finished later when nobody repeats it, and not while it can't be", async () => {
    const { core, store, conversations } = fakeGroups();
    conversations.away = true;
    for (let i = 0; i < 5; i++) {
      await refused(core.create("a", request({ clientGroupId: `key ${i}` }), origin), "OUTCOME_UNKNOWN");
    }
    conversations.calls = 0;
    const { finished, failures } = await core.finishUnfinished(100);
    assert.deepEqual([finished, failures.length, conversations.calls], [0, 3, 3]);
    conversations.away = false;
    assert.equal((await core.finishUnfinished(2)).finished, 2);
    assert.equal((await core.finishUnfinished(100)).finished, 3);
    assert.equal((await core.finishUnfinished(100)).finished, 0);
    assert.equal(conversations.records.size, 5);
    assert.ok([...store.groupsById.values()].every(({ pendingMemberIds }) => pendingMemberIds === undefined));
  });
});
