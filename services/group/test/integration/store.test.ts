import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import type { Change, Group, Member } from "../../src/ports.ts";
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

function change(changeId: string, of: Partial<Change> = {}): Change {
  return {
    changeId,
    actorUserId: "a",
    startTime: new Date(1_000),
    touched: ["u"],
    what: { kind: "members", joined: ["u"], left: [], removed: [], roles: [], version: 2n, memberCount: 3 },
    ...of,
  };
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

  it("notes one change at a time, by a group that is still as it was read", async () => {
    const read = group("c1");
    await store.groups.createGroup(read);
    const noted = await Promise.all([change("x"), change("y")].map((each) => store.groups.begin(read, each)));
    assert.deepEqual(noted.sort(), [false, true]);
    const { pending } = (await store.groups.group("c1")) ?? {};
    const won = change(pending?.changeId ?? "");
    assert.deepEqual(pending, won);
    await store.groups.applied("c1", "another", { version: 7n });
    assert.deepEqual((await store.groups.group("c1"))?.pending, won);
    await store.groups.applied("c1", won.changeId, { version: 7n, lastChangeId: won.changeId });
    const after = group("c1", { version: 7n, lastChangeId: won.changeId });
    assert.deepEqual(await store.groups.group("c1"), after);
    assert.equal(await store.groups.begin(read, change("z")), false);
    assert.equal(await store.groups.begin(after, change("z")), true);
    await store.groups.abandon("c1", "z");
    assert.deepEqual(await store.groups.group("c1"), after);
  });

  it("forgets a group whose creation is abandoned", async () => {
    await store.groups.createGroup(group("c2", { version: 0n, pending: change("c") }));
    await store.groups.abandon("c2", "c");
    assert.equal(await store.groups.group("c2"), undefined);
  });

  it("remembers what is unfinished, the oldest first, and whom it touches", async () => {
    await store.groups.createGroup(
      group("p2", { pending: change("p2", { startTime: new Date(2_000), touched: ["t"] }) }),
    );
    await store.groups.createGroup(group("p1", { pending: change("p1", { touched: ["t", "u"] }) }));
    const idsOf = (groups: Group[]) => groups.map(({ groupId }) => groupId);
    assert.deepEqual(idsOf(await store.groups.unfinished(10)), ["p1", "p2"]);
    assert.deepEqual(idsOf(await store.groups.unfinished(1)), ["p1"]);
    assert.deepEqual(idsOf(await store.groups.unfinishedOf(["u", "stranger"], 10)), ["p1"]);
    await store.groups.applied("p1", "p1", {});
    assert.deepEqual(idsOf(await store.groups.unfinished(10)), ["p2"]);
    assert.deepEqual(await store.groups.unfinishedOf(["u", "stranger"], 10), []);
    assert.deepEqual(await store.groups.group("p1"), group("p1"));
  });

  it("knows whose history is open", async () => {
    await store.groups.createGroup(group("o1", { settings: { ...group("o1").settings, openHistory: true } }));
    assert.deepEqual(await store.groups.withOpenHistory(["o1", "g1", "nothing"]), ["o1"]);
    assert.deepEqual(await store.groups.withOpenHistory([]), []);
  });

  it("changes a member by each record once, in whatever order they come", async () => {
    await store.members.addMembers([member("n1", "q", { changedSeq: 1n }), member("n1", "old")]);
    const ended = { role: "member", toSeq: 5n, endTime: new Date(5_000) } as const;
    const end = () => store.members.changeMembers("n1", 5n, [{ userId: "q", fields: ended, cameBack: false }]);
    await Promise.all([end(), end()]);
    const gone = member("n1", "q", { ...ended, changedSeq: 5n });
    assert.deepEqual(await store.members.member("n1", "q"), gone);
    const earlier = [{ fromSeq: 1n, toSeq: 5n }];
    const back = { fromSeq: 9n, earlier };
    await store.members.changeMembers("n1", 9n, [{ userId: "q", fields: back, cameBack: true }]);
    await end();
    assert.deepEqual(await store.members.member("n1", "q"), member("n1", "q", { ...back, changedSeq: 9n }));
    // One who was stored before changes had seqs.
    await store.members.changeMembers("n1", 2n, [{ userId: "old", fields: { role: "admin" }, cameBack: false }]);
    assert.deepEqual(
      (await store.members.membersOf("n1", ["old", "nobody"])).map(({ role, changedSeq }) => [role, changedSeq]),
      [["admin", 2n]],
    );
  });

  it("sets nickname and mute of members only", async () => {
    await store.members.addMembers([member("s1", "q"), member("s1", "gone", { toSeq: 3n })]);
    const mutedUntil = new Date(9_000);
    assert.deepEqual(
      await store.members.setMember("s1", "q", { nickname: "al", mutedUntil }),
      member("s1", "q", { nickname: "al", mutedUntil }),
    );
    assert.deepEqual(
      await store.members.setMember("s1", "q", { mutedUntil: null }),
      member("s1", "q", { nickname: "al" }),
    );
    assert.deepEqual(await store.members.setMember("s1", "q", {}), member("s1", "q", { nickname: "al" }));
    assert.equal(await store.members.setMember("s1", "gone", { nickname: "x" }), undefined);
    assert.equal(await store.members.setMember("s1", "nobody", {}), undefined);
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
    await store.members.addMembers([member("m4", "b", { toSeq: 2n, endTime: new Date(4_000) })]);
    const ended = async (sinceMs: number, after = "") =>
      (await store.members.endedMemberships("b", new Date(sinceMs), after, 10)).map(({ groupId }) => groupId);
    assert.deepEqual([await ended(4_000), await ended(4_001), await ended(0, "m4")], [["m4"], [], []]);
  });

  it("reads the memberships of many users, user by user, and says by its order whose are cut off", async () => {
    const gone = { toSeq: 7n, endTime: new Date(4_000) };
    const users = ["many-1", "many-2", "many-3"];
    for (const userId of users) {
      await store.members.addMembers([member("x2", userId), member("x1", userId), member("x3", userId, gone)]);
    }
    const idsOf = (members: Member[]) => members.map(({ userId, groupId }) => `${userId} ${groupId}`);
    const all = idsOf(await store.members.membershipsOfUsers([...users, "stranger"], 10));
    assert.deepEqual(
      all.toSorted(),
      users.flatMap((userId) => [`${userId} x1`, `${userId} x2`]),
    );
    const cut = idsOf(await store.members.membershipsOfUsers(users, 3));
    assert.deepEqual([cut.slice(0, 2).toSorted(), cut[2]?.slice(0, 6)], [["many-1 x1", "many-1 x2"], "many-2"]);
    const ended = async (sinceMs: number) =>
      idsOf(await store.members.endedMembershipsOfUsers(users, new Date(sinceMs), 2));
    assert.deepEqual([await ended(4_000), await ended(4_001)], [["many-1 x3", "many-2 x3"], []]);
    assert.deepEqual(await store.members.membershipsOfUsers([], 10), []);
  });

  it("finds by index what is asked for each message", async () => {
    const client = new MongoClient(servers.mongodbUrl);
    try {
      const members = client.db("group").collection("group_members");
      const keys = (await members.indexes()).map(({ key }) => Object.keys(key).join());
      assert.ok(keys.includes("groupId,userId") && keys.includes("userId,groupId"), String(keys));
      assert.ok(keys.includes("userId,endTime"), String(keys));
    } finally {
      await client.close();
    }
  });
});
