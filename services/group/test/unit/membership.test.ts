import assert from "node:assert/strict";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { refused } from "@oceanchat/runtime/testing";
import type { Settings } from "../../src/ports.ts";
import { fakeGroups, origin, request, settings } from "../support/fakes.ts";

/** A group of owner a and members b, c, with two messages: the next record has seq 4. */
async function given(change: Partial<Settings> = {}, maxMembers = 500) {
  const fakes = fakeGroups(maxMembers);
  const { core, conversations } = fakes;
  const { groupId } = await core.create("a", request({ settings: { ...settings, ...change } }), origin);
  conversations.say(groupId);
  conversations.say(groupId);
  const invite = (by: string, ...userIds: string[]) => core.invite(by, { groupId, userIds }, origin);
  const remove = (by: string, userId: string) => core.remove(by, { groupId, userId }, origin);
  const readable = async (userId: string) =>
    (await core.checkRead(groupId, userId)).map(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
  const list = () => core.listMemberIds({ groupId, afterUserId: "", limit: 0 });
  const admin = (userId: string) => core.updateMember("a", { groupId, userId, role: "admin" }, origin);
  const verdict = async (userId: string) => (await core.checkSend(groupId, userId, false)).verdict;
  return { ...fakes, groupId, invite, remove, readable, list, admin, verdict };
}

describe("InviteMembers", () => {
  it("lets newcomers read from the record that let them in", async () => {
    const { invite, readable, conversations, groupId, list, store } = await given();
    const members = await invite("b", "e", "c", "d");
    assert.deepEqual(
      members.map(({ userId, role }) => [userId, role]),
      [
        ["c", "member"],
        ["d", "member"],
        ["e", "member"],
      ],
    );
    const { seq, change } = conversations.changes(groupId).at(-1) ?? {};
    assert.deepEqual(
      [seq, change?.actorUserId, change?.what],
      [4n, "b", { kind: "members", joined: ["d", "e"], left: [], removed: [], roles: [], version: 2n, memberCount: 5 }],
    );
    assert.deepEqual([await readable("d"), await readable("c")], [[[4n, 0n]], [[1n, 0n]]]);
    assert.deepEqual(await list(), { userIds: ["a", "b", "c", "d", "e"], version: 2n, hasMore: false });
    assert.equal(store.groupsById.get(groupId)?.memberCount, 5);
  });

  it("makes no record when all are members", async () => {
    const { invite, conversations, groupId } = await given();
    assert.equal((await invite("b", "c", "a")).length, 2);
    assert.equal(conversations.changes(groupId).length, 1);
  });

  it("refuses strangers, roles that may not, unknown users, and more than fit", async () => {
    const { invite, admin, conversations, groupId } = await given({ membersMayInvite: false }, 4);
    await refused(invite("z", "d"), "GROUP_NOT_FOUND");
    await refused(invite("b", "d"), "ROLE_TOO_LOW");
    await admin("b");
    const missing = await refused(invite("b", "x1", "a"), "USER_NOT_FOUND");
    assert.deepEqual(missing.metadata, { user_ids: "x1" });
    await refused(invite("b", "d", "e"), "GROUP_FULL");
    assert.equal(conversations.changes(groupId).length, 2);
    assert.equal((await invite("b", "d")).length, 1);
  });
});

describe("JoinGroup", () => {
  it("lets into an open group, once", async () => {
    const { core, groupId, readable, conversations } = await given({ joinPolicy: "open" });
    assert.deepEqual(await core.join("d", groupId, origin), { pending: false });
    assert.deepEqual(await core.join("d", groupId, origin), { pending: false });
    assert.deepEqual(await readable("d"), [[4n, 0n]]);
    assert.equal(conversations.changes(groupId).length, 2);
  });

  it("tells strangers nothing of a group that one is invited to, and former members why not", async () => {
    const { core, groupId } = await given();
    await refused(core.join("z", groupId, origin), "GROUP_NOT_FOUND");
    await refused(core.join("z", "no group", origin), "GROUP_NOT_FOUND");
    await core.leave("c", groupId, origin);
    await refused(core.join("c", groupId, origin), "INVITE_ONLY");
    await core.join("b", groupId, origin);
  });

  it("can't ask for approval yet", async () => {
    const { core, groupId } = await given({ joinPolicy: "approval" });
    await refused(core.join("z", groupId, origin), "UNIMPLEMENTED");
  });
});

describe("LeaveGroup and RemoveMember", () => {
  it("end the membership exactly at their record", async () => {
    const { core, groupId, remove, readable, conversations, list, verdict, store } = await given();
    await core.leave("b", groupId, origin);
    conversations.say(groupId);
    await remove("a", "c");
    conversations.say(groupId);
    assert.deepEqual(
      [await readable("b"), await readable("c"), await readable("a")],
      [[[1n, 4n]], [[1n, 6n]], [[1n, 0n]]],
    );
    assert.deepEqual(
      conversations
        .changes(groupId)
        .map(({ change: { actorUserId, what } }) =>
          what.kind === "members" ? [actorUserId, what.left, what.removed, what.version] : [],
        ),
      [
        ["a", [], [], 1n],
        ["b", ["b"], [], 2n],
        ["a", [], ["c"], 3n],
      ],
    );
    assert.deepEqual(await list(), { userIds: ["a"], version: 3n, hasMore: false });
    assert.deepEqual([await verdict("b"), await verdict("c")], [SendVerdict.NOT_A_MEMBER, SendVerdict.NOT_A_MEMBER]);
    assert.equal(store.groupsById.get(groupId)?.memberCount, 1);
    await refused(core.group("c", groupId), "GROUP_NOT_FOUND");
  });

  it("do nothing when it is done already", async () => {
    const { core, groupId, remove, conversations } = await given();
    await core.leave("b", groupId, origin);
    await core.leave("b", groupId, origin);
    await remove("a", "b");
    assert.equal(conversations.changes(groupId).length, 2);
  });

  it("refuse the owner's leaving, lower roles, and strangers", async () => {
    const { core, groupId, remove, admin } = await given();
    await refused(core.leave("a", groupId, origin), "OWNER_MAY_NOT_LEAVE");
    await refused(core.leave("z", groupId, origin), "GROUP_NOT_FOUND");
    await refused(remove("z", "b"), "GROUP_NOT_FOUND");
    await refused(remove("b", "c"), "ROLE_TOO_LOW");
    await admin("b");
    await admin("c");
    await refused(remove("b", "c"), "ROLE_TOO_LOW");
    await refused(remove("b", "a"), "ROLE_TOO_LOW");
    await refused(remove("a", "a"), "ROLE_TOO_LOW");
    await refused(remove("a", "z"), "MEMBER_NOT_FOUND");
  });
});

describe("coming back", () => {
  it("keeps what was readable before, and what was said in between hidden", async () => {
    const { core, groupId, invite, remove, readable, conversations, store, clock } = await given();
    await core.updateMember("a", { groupId, userId: "b", muteMs: 60_000, nickname: "bee", role: "admin" }, origin);
    await remove("a", "b"); // 5
    conversations.say(groupId); // 6
    await invite("a", "b"); // 7
    assert.deepEqual(await readable("b"), [
      [1n, 5n],
      [7n, 0n],
    ]);
    const back = store.membersById.get(`${groupId}:b`);
    assert.deepEqual([back?.role, back?.nickname, back?.mutedUntil], ["member", "", new Date(clock.ms + 60_000)]);
    await core.leave("b", groupId, origin); // 8
    assert.deepEqual(await readable("b"), [
      [1n, 5n],
      [7n, 8n],
    ]);
    await invite("a", "b"); // 9: nothing was said in between
    assert.deepEqual(await readable("b"), [
      [1n, 5n],
      [7n, 0n],
    ]);
  });

  it("any number of times keeps the last hundred stretches", async () => {
    const { groupId, invite, remove, readable, conversations } = await given();
    for (let i = 0; i < 120; i++) {
      await remove("a", "b");
      conversations.say(groupId);
      await invite("a", "b");
    }
    const stretches = await readable("b");
    assert.deepEqual([stretches.length, stretches.at(-1)?.[1]], [100, 0n]);
  });
});

describe("open history", () => {
  it("counts while one is a member, in both answers", async () => {
    const { core, groupId, invite, readable } = await given({ openHistory: true });
    await invite("a", "d"); // 4
    const memberships = async () => {
      const { memberships } = await core.listMemberships({ userId: "d", afterGroupId: "", limit: 0 });
      return memberships.map(({ fromSeq, toSeq }) => [fromSeq, toSeq]);
    };
    assert.deepEqual([await readable("d"), await memberships()], [[[1n, 0n]], [[1n, 0n]]]);
    await core.update("a", { groupId, settings }, origin);
    assert.deepEqual([await readable("d"), await memberships()], [[[4n, 0n]], [[4n, 0n]]]);
    await core.update("a", { groupId, settings: { ...settings, openHistory: true } }, origin);
    await core.leave("d", groupId, origin);
    assert.deepEqual(await readable("d"), [[4n, 7n]]);
  });
});

describe("ListGroupIdsOfUser", () => {
  it("gives memberships that ended lately when asked for", async () => {
    const { core, groupId } = await given();
    await core.leave("b", groupId, origin); // 4, at 4 s
    const other = await core.create("b", request({ clientGroupId: "other" }), origin);
    const of = async (leftSinceMs?: number, limit = 0) => {
      const leftSince = leftSinceMs === undefined ? {} : { leftSince: new Date(leftSinceMs) };
      return core.listMemberships({ userId: "b", afterGroupId: "", limit, ...leftSince });
    };
    const ended = { groupId, fromSeq: 1n, toSeq: 4n, joinTime: new Date(1_000) };
    const lasting = { groupId: other.groupId, fromSeq: 1n, toSeq: 0n, joinTime: new Date(1_000) };
    assert.deepEqual(await of(), { memberships: [lasting], hasMore: false });
    assert.deepEqual(await of(4_000), { memberships: [ended, lasting], hasMore: false });
    assert.deepEqual(await of(4_001), { memberships: [lasting], hasMore: false });
    assert.deepEqual(await of(0, 1), { memberships: [ended], hasMore: true });
  });
});
