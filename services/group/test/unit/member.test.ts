import assert from "node:assert/strict";
import { refused } from "@oceanchat/runtime/testing";
import type { MemberUpdate } from "../../src/core/member.ts";
import { fakeGroups, origin, request, settings } from "../support/fakes.ts";

/** Owner a, admins b and e, members c and d. */
async function given() {
  const fakes = fakeGroups();
  const { core } = fakes;
  const { groupId } = await core.create("a", request({ memberIds: ["b", "c", "d", "e"] }), origin);
  const update = (by: string, userId: string, fields: Omit<MemberUpdate, "groupId" | "userId">) =>
    core.updateMember(by, { groupId, userId, ...fields }, origin);
  await update("a", "b", { role: "admin" });
  await update("a", "e", { role: "admin" });
  return { ...fakes, groupId, update };
}

describe("UpdateMember", () => {
  it("makes a role a record of the log, once", async () => {
    const { update, conversations, groupId, core } = await given();
    assert.equal((await update("a", "c", { role: "admin" })).role, "admin");
    assert.equal((await update("a", "c", { role: "admin" })).role, "admin");
    const changes = conversations.changes(groupId);
    const { what } = changes.at(-1)?.change ?? {};
    assert.ok(what?.kind === "members");
    assert.deepEqual(
      [changes.length, what.roles, what.version, what.memberCount],
      [4, [{ userId: "c", role: "admin" }], 4n, 5],
    );
    assert.equal((await update("a", "c", { role: "member" })).role, "member");
    assert.equal((await core.listMemberIds({ groupId, afterUserId: "", limit: 0 })).version, 5n);
  });

  it("mutes for a time and ends a mute, without a record", async () => {
    const { update, conversations, groupId, clock } = await given();
    const before = conversations.changes(groupId).length;
    assert.deepEqual((await update("b", "c", { muteMs: 5_000 })).mutedUntil, new Date(clock.ms + 5_000));
    assert.equal((await update("a", "c", { muteMs: 0 })).mutedUntil, undefined);
    assert.equal(conversations.changes(groupId).length, before);
    await refused(update("a", "c", { muteMs: -1 }), "INVALID_FIELD");
    await refused(update("a", "c", { muteMs: 4e14 }), "INVALID_FIELD");
  });

  it("lets a member name himself, and whoever is above him", async () => {
    const { update } = await given();
    assert.equal((await update("c", "c", { nickname: "sea" })).nickname, "sea");
    assert.equal((await update("b", "c", { nickname: "" })).nickname, "");
    await refused(update("d", "c", { nickname: "x" }), "ROLE_TOO_LOW");
    await refused(update("b", "e", { nickname: "x" }), "ROLE_TOO_LOW");
  });

  it("refuses what a role doesn't allow, and then changes nothing", async () => {
    const { update, store, groupId } = await given();
    await refused(update("b", "c", { role: "admin" }), "ROLE_TOO_LOW");
    await refused(update("a", "a", { role: "member" }), "ROLE_TOO_LOW");
    await refused(update("b", "e", { muteMs: 1 }), "ROLE_TOO_LOW");
    await refused(update("b", "a", { muteMs: 1 }), "ROLE_TOO_LOW");
    await refused(update("c", "c", { muteMs: 0 }), "ROLE_TOO_LOW");
    await refused(update("b", "c", { nickname: "x", role: "admin" }), "ROLE_TOO_LOW");
    assert.equal(store.membersById.get(`${groupId}:c`)?.nickname, "");
    await refused(update("z", "c", { nickname: "x" }), "GROUP_NOT_FOUND");
    await refused(update("a", "z", { nickname: "x" }), "MEMBER_NOT_FOUND");
  });
});

describe("UpdateGroup and MuteAll", () => {
  it("make what is different a record of the log", async () => {
    const { core, conversations, groupId } = await given();
    const wanted = { ...settings, openHistory: true };
    const changed = await core.update("b", { groupId, name: " fleet ", settings: wanted }, origin);
    assert.deepEqual(
      [changed.name, changed.settings, changed.version, changed.pending],
      ["fleet", wanted, 3n, undefined],
    );
    await core.update("b", { groupId, name: "fleet", settings: wanted, mutedAll: false }, origin);
    assert.equal((await core.update("a", { groupId, mutedAll: true }, origin)).mutedAll, true);
    assert.deepEqual(await core.group("c", groupId), {
      ...changed,
      mutedAll: true,
      lastChangeId: (await core.group("c", groupId)).lastChangeId,
    });
    assert.deepEqual(
      conversations
        .changes(groupId)
        .slice(3)
        .map(({ change: { what } }) => what),
      [
        { kind: "data", name: "fleet", settings: { openHistory: true } },
        { kind: "data", mutedAll: true },
      ],
    );
  });

  it("are for the owner and admins", async () => {
    const { core, groupId } = await given();
    await refused(core.update("c", { groupId, name: "x" }, origin), "ROLE_TOO_LOW");
    await refused(core.update("z", { groupId, mutedAll: true }, origin), "GROUP_NOT_FOUND");
    await refused(core.update("a", { groupId, name: " " }, origin), "INVALID_FIELD");
  });
});
