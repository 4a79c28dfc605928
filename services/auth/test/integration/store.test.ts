import assert from "node:assert/strict";
import { startServers, type TestServers } from "@oceanchat/infra/servers-for-tests";
import { silentLog } from "@oceanchat/runtime/testing";
import { MongoClient } from "mongodb";
import { v7 } from "uuid";
import type { Account, Session } from "../../src/ports.ts";
import { signingKeysFromStore } from "../../src/signing-keys.ts";
import { type AuthStore, openStore } from "../../src/store.ts";

const NOW = Date.now();

const pending = { displayName: "Ada", deviceId: "phone" };

function account(username: string): Account {
  return { userId: v7(), username, passwordHash: "hash", createTime: new Date(NOW), pending };
}

function session(userId: string, deviceId: string, usedMs = NOW): Session {
  return {
    sessionId: v7(),
    userId,
    deviceId,
    platform: "PLATFORM_WEB",
    deviceName: "",
    generation: 1,
    refreshHash: "first",
    previousRefreshHash: "",
    previousValidUntil: new Date(0),
    createTime: new Date(usedMs),
    lastUsedTime: new Date(usedMs),
    expireTime: new Date(NOW + 3_600_000),
  };
}

describe("auth's store", () => {
  let servers: TestServers;
  let store: AuthStore;
  const open = () => openStore({ url: servers.mongodbUrl, database: "auth", name: "test", log: silentLog });

  before(async function () {
    this.timeout(300_000);
    servers = await startServers({ mongo: true });
    store = await open();
  });
  after(async function () {
    this.timeout(60_000);
    await store?.close();
    await servers?.stop();
  });

  it("gives a username to one of fifty", async () => {
    const created = await Promise.all(Array.from({ length: 50 }, () => store.accounts.createAccount(account("ada"))));
    assert.equal(created.filter(Boolean).length, 1);
  });

  it("keeps an account as it was created, and forgets what was pending", async () => {
    const bob = account("bob");
    await store.accounts.createAccount(bob);
    assert.deepEqual(await store.accounts.accountByUsername("bob"), bob);
    await store.accounts.profileCreated(bob.userId);
    const { pending: _, ...rest } = bob;
    assert.deepEqual(await store.accounts.accountById(bob.userId), rest);
    assert.equal(await store.accounts.replacePasswordHash(bob.userId, "other", "new"), false);
    assert.equal(await store.accounts.replacePasswordHash(bob.userId, "hash", "new"), true);
    assert.equal(await store.accounts.accountByUsername("nobody"), undefined);
  });

  it("lets a device have one session, however many logins there are at once", async () => {
    const userId = v7();
    const logins = Array.from({ length: 5 }, () => store.sessions.beginSession(session(userId, "phone")));
    const ended = (await Promise.all(logins)).flat();
    // Each but one was ended, by one that says so.
    assert.equal(new Set(ended).size, 4);
    assert.equal(ended.length, 4);
    assert.equal((await store.sessions.sessionsOf(userId, undefined, 10)).length, 1);
    const laptop = session(userId, "laptop");
    assert.deepEqual(await store.sessions.beginSession(laptop), []);
    assert.deepEqual(await store.sessions.beginSession(session(userId, "laptop")), [laptop.sessionId]);
  });

  it("lets one of many rotate a token", async () => {
    const one = session(v7(), "phone");
    await store.sessions.beginSession(one);
    const change = {
      generation: 2,
      refreshHash: "second",
      previousRefreshHash: "first",
      previousValidUntil: new Date(NOW),
      lastUsedTime: new Date(NOW + 1),
      expireTime: one.expireTime,
    };
    const rotated = await Promise.all(
      Array.from({ length: 10 }, () => store.sessions.rotate(one.sessionId, "first", change)),
    );
    assert.equal(rotated.filter(Boolean).length, 1);
    assert.deepEqual(await store.sessions.session(one.sessionId), { ...one, ...change });
  });

  it("lists sessions by use, page by page, and ends the least used beyond 100", async () => {
    const userId = v7();
    const sessions = Array.from({ length: 103 }, (_, i) => session(userId, `device-${i}`, NOW + (i >> 1)));
    const ended: string[] = [];
    for (const one of sessions) ended.push(...(await store.sessions.beginSession(one)));
    assert.deepEqual(
      ended.toSorted(),
      sessions
        .slice(0, 3)
        .map(({ sessionId }) => sessionId)
        .toSorted(),
    );
    const listed: Session[] = [];
    for (;;) {
      const last = listed.at(-1);
      const after = last && { lastUsedMs: last.lastUsedTime.getTime(), sessionId: last.sessionId };
      const page = await store.sessions.sessionsOf(userId, after, 17);
      listed.push(...page);
      if (page.length < 17) break;
    }
    assert.deepEqual(
      listed.map(({ deviceId }) => deviceId),
      sessions
        .slice(3)
        .reverse()
        .map(({ deviceId }) => deviceId),
    );
  }).timeout(60_000);

  it("ends sessions of their user only", async () => {
    const [mine, other] = [session(v7(), "phone"), session(v7(), "phone")];
    const laptop = session(mine.userId, "laptop");
    for (const one of [mine, other, laptop]) await store.sessions.beginSession(one);
    assert.equal(await store.sessions.endSession(other.sessionId, mine.userId), false);
    assert.deepEqual(await store.sessions.endSessionsOf(mine.userId, laptop.sessionId), [mine.sessionId]);
    const ids = [mine, other, laptop].map(({ sessionId }) => sessionId);
    const live = await store.sessions.liveSessionIds(ids, new Date(NOW));
    assert.deepEqual(live.sort(), [other.sessionId, laptop.sessionId].sort());
    assert.deepEqual(await store.sessions.liveSessionIds(ids, new Date(NOW + 3_600_000)), []);
  });

  it("has an index that removes expired sessions", async () => {
    const client = new MongoClient(servers.mongodbUrl);
    try {
      const indexes = await client.db("auth").collection("sessions").indexes();
      assert.equal(indexes.find(({ key }) => key.expireTime === 1)?.expireAfterSeconds, 0);
    } finally {
      await client.close();
    }
  });

  it("makes one signing key when many instances start at once", async () => {
    const keys = await Promise.all(Array.from({ length: 10 }, () => signingKeysFromStore(store.signingKeys, NOW)));
    assert.equal(new Set(keys.map(({ kid }) => kid)).size, 1);
    const again = await open();
    try {
      assert.equal((await signingKeysFromStore(again.signingKeys, NOW)).kid, keys[0]?.kid);
    } finally {
      await again.close();
    }
  });
});
