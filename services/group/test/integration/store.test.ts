import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import type { Group, Member } from "../../src/ports.ts";
import { openStore, type Store } from "../../src/store.ts";

function group(groupId: string, change: Partial<Group> = {}): Group {
  return {
    groupId,
    creatorUserId: "a",
    clientGroupId: groupId,
    requestHash: "hash",
    ownerUserId: "a",
    name: "crew",
    announcement: "",
    avatarUrl: "",
    settings: { joinPolicy: "inviteOnly", membersMayInvite: true, membersMayMentionAll: false, openHistory: false },
    mutedAll: false,
    memberCount: 2,
    version: 9_007_199_254_740_993n,
    createTime: new Date(1_000),
    ...change,
  };
}

function member(groupId: string, userId: string, change: Partial<Member> = {}): Member {
  return { groupId, userId, role: "member", nickname: "", joinTime: new Date(1_000), fromSeq: 1n, ...change };
}

describe("group's store", () => {
  let servers: TestServers;
  let store: Store;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await openStore({ url: servers.mongodbUrl, database: "group", name: "test", log: silentLog });
  });
  after(async () => {
    await store?.close();
    await servers?.stop();
  });

  it("creates one group per key of its creator, whatever comes at once", async () => {
    const same = Array.from({ length: 20 }, (_, i) => group(`r${i}`, { clientGroupId: "key" }));
    const created = await Promise.all(same.map((one) => store.groups.createGroup(one)));
    assert.equal(created.filter(Boolean).length, 1);
    assert.equal(await store.groups.createGroup(group("r20", { clientGroupId: "key", creatorUserId: "b" })), true);
  });

  it("gives groups back as they were, 64-bit numbers included", async () => {
    await store.groups.createGroup(group("g1"));
    assert.deepEqual(await store.groups.group("g1"), group("g1"));
    assert.deepEqual(await store.groups.groupByClientId("a", "g1"), group("g1"));
    assert.deepEqual(await store.groups.groups(["g1", "nothing"]), [group("g1")]);
    assert.equal(await store.groups.group("nothing"), undefined);
  });

  it("remembers what is unfinished, the oldest first", async () => {
    const pending = { pendingMemberIds: ["a", "b"] };
    await store.groups.createGroup(group("p2", { ...pending, createTime: new Date(2_000) }));
    await store.groups.createGroup(group("p1", pending));
    const ids = async (limit: number) => (await store.groups.unfinished(limit)).map(({ groupId }) => groupId);
    assert.deepEqual([await ids(10), await ids(1)], [["p1", "p2"], ["p1"]]);
    await store.groups.created("p1");
    assert.deepEqual(await ids(10), ["p2"]);
    assert.deepEqual(await store.groups.group("p1"), group("p1"));
  });

  it("adds members once, and leaves alone who is there", async () => {
    await store.members.addMembers([member("m1", "a", { role: "owner" })]);
    const added = [member("m1", "a"), member("m1", "c"), member("m1", "b")];
    await Promise.all([store.members.addMembers(added), store.members.addMembers(added)]);
    const found = await store.members.members("m1", "", 10);
    assert.deepEqual(
      found.map(({ userId, role }) => [userId, role]),
      [
        ["a", "owner"],
        ["b", "member"],
        ["c", "member"],
      ],
    );
  });

  it("lists who is there, by id, and not who has left", async () => {
    const left = member("m2", "b", { toSeq: 7n, mutedUntil: new Date(5_000) });
    await store.members.addMembers([member("m2", "c"), left, member("m2", "a"), member("m3", "a")]);
    assert.deepEqual(await store.members.memberIds("m2", "", 10), ["a", "c"]);
    assert.deepEqual(await store.members.memberIds("m2", "a", 10), ["c"]);
    assert.deepEqual(await store.members.memberIds("m2", "", 1), ["a"]);
    assert.deepEqual(await store.members.member("m2", "b"), left);
    const ofA = (await store.members.memberships("a", "m1", 10)).map(({ groupId }) => groupId);
    assert.deepEqual(ofA, ["m2", "m3"]);
    assert.deepEqual(await store.members.memberships("b", "m1", 10), []);
  });

  it("finds by index what is asked for each message", async () => {
    const client = new MongoClient(servers.mongodbUrl);
    try {
      const members = client.db("group").collection("group_members");
      const keys = (await members.indexes()).map(({ key }) => Object.keys(key).join());
      assert.ok(keys.includes("groupId,userId") && keys.includes("userId,groupId"), String(keys));
    } finally {
      await client.close();
    }
  });
});
