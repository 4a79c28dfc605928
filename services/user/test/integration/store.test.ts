import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import type { Profile } from "../../src/ports.ts";
import { openStore, type UserStore } from "../../src/store.ts";

function profile(userId: string, username: string, displayName = username): Profile {
  return { userId, username, displayName, avatarUrl: "", bio: "", createTime: new Date(1_000) };
}

describe("user's store", () => {
  let servers: TestServers;
  let store: UserStore;
  let client: MongoClient;

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await openStore({ url: servers.mongodbUrl, database: "user", name: "test", log: silentLog });
    client = new MongoClient(servers.mongodbUrl);
  });
  after(async () => {
    await client?.close();
    await store?.close();
    await servers?.stop();
  });

  it("creates a profile once, and answers repeats with the one that is there", async () => {
    const created = await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.profiles.createProfile(profile("u1", "ada", `Ada ${i}`))),
    );
    assert.equal(new Set(created.map(({ displayName }) => displayName)).size, 1);
    assert.deepEqual(await store.profiles.profiles(["u1", "u1", "nobody"]), [created[0]]);
  });

  it("changes what is given and nothing else", async () => {
    await store.profiles.createProfile(profile("u2", "bob"));
    await store.profiles.updateProfile("u2", { bio: "hello" });
    const changed = await store.profiles.updateProfile("u2", { displayName: "Bobby" });
    assert.deepEqual(changed, { ...profile("u2", "bob", "Bobby"), bio: "hello" });
    assert.deepEqual(await store.profiles.updateProfile("u2", {}), changed);
    assert.equal(await store.profiles.updateProfile("nobody", { bio: "x" }), undefined);
    assert.deepEqual(await store.profiles.byDisplayName("bobb", undefined, 5), [changed]);
    assert.deepEqual(await store.profiles.byDisplayName("bob", undefined, 5), [], "the username begins so, too");
    await store.profiles.updateSettings("u2", { directPolicy: "friends" });
    assert.deepEqual(await store.profiles.settings("u2"), {
      directPolicy: "friends",
      hideLastSeen: false,
      hideFromSearch: false,
      presencePolicy: "everyone",
    });
    await store.profiles.updateSettings("u2", { presencePolicy: "nobody" });
    assert.equal((await store.profiles.settingsOf(["u2", "u2", "nobody"])).get("u2")?.presencePolicy, "nobody");
  });

  it("takes a profile without a presence policy as open to everyone", async () => {
    await store.profiles.createProfile(profile("u3", "early"));
    await client
      .db("user")
      .collection<{ _id: string }>("profiles")
      .updateOne({ _id: "u3" }, { $unset: { presencePolicy: "" } });
    assert.equal((await store.profiles.settings("u3"))?.presencePolicy, "everyone");
    assert.equal((await store.profiles.settingsOf(["u3"])).get("u3")?.presencePolicy, "everyone");
  });

  it("finds by prefix, not by pattern or operator", async () => {
    for (const [id, name, shown] of [
      ["s1", "carl", "Émile 😀 Zola"],
      ["s2", "carla", "zz.*"],
      ["s3", "dora", "émile 😀"],
      ["s4", "emil", "Émile Ÿ"],
    ] as const) {
      await store.profiles.createProfile(profile(id, name, shown));
    }
    const names = (found: Profile[]) => found.map(({ username }) => username);
    assert.deepEqual(names(await store.profiles.byUsername("car", "", 10)), ["carl", "carla"]);
    assert.deepEqual(names(await store.profiles.byUsername("car", "carl", 10)), ["carla"]);
    assert.deepEqual(names(await store.profiles.byUsername(".*", "", 10)), []);
    assert.deepEqual(names(await store.profiles.byDisplayName("zz.*", undefined, 10)), ["carla"]);
    assert.deepEqual(names(await store.profiles.byDisplayName("émile 😀", undefined, 10)), ["dora", "carl"]);
    const after = { displayNameKey: "émile 😀", userId: "s3" };
    assert.deepEqual(names(await store.profiles.byDisplayName("émile", after, 1)), ["carl"]);
  });

  it("doesn't find who hides", async () => {
    await store.profiles.createProfile(profile("h1", "hidden", "Veiled"));
    await store.profiles.updateSettings("h1", { hideFromSearch: true });
    assert.deepEqual(await store.profiles.byUsername("hidd", "", 10), []);
    assert.deepEqual(await store.profiles.byDisplayName("veil", undefined, 10), []);
  });

  it("knows blocks in both directions, and friends", async () => {
    const db = client.db("user");
    await db.collection<{ _id: string }>("blocks").insertOne({ _id: "a:b" });
    await db.collection<{ _id: string }>("friendships").insertOne({ _id: "a:c" });
    const { relations } = store;
    const pairs = [
      { a: "a", b: "b" },
      { a: "b", b: "a" },
      { a: "a", b: "c" },
      { a: "c", b: "a" },
      { a: "b", b: "c" },
    ];
    assert.deepEqual([...(await relations.blockedPairs(pairs))], pairs.slice(0, 2));
    assert.deepEqual([...(await relations.friendPairs(pairs))], pairs.slice(2, 4));
    assert.equal((await relations.blockedPairs([])).size, 0);
    assert.deepEqual(await relations.friendsAmong("c", ["a", "b"]), ["a"]);
    assert.deepEqual(await relations.friendsAmong("a", ["b", "c"]), ["c"]);
  });
});
