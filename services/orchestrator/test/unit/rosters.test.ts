import assert from "node:assert/strict";
import { membersAfter, membersBefore, witnessesOf } from "../../src/core/roster.ts";
import { Rosters } from "../../src/core/rosters.ts";
import { ALICE, BOB, CAROL, change, GROUP, GROUP_ID, id } from "../support/entries.ts";
import { FakeGroups, FakeLog } from "../support/fakes.ts";

describe("a change of membership", () => {
  const bobForCarol = change({ joined: [BOB], removed: [CAROL] });

  it("is applied, undone and seen by both", () => {
    assert.deepEqual(membersAfter([ALICE, CAROL], bobForCarol), [ALICE, BOB]);
    assert.deepEqual(membersBefore([ALICE, BOB], bobForCarol), [ALICE, CAROL]);
    assert.deepEqual(witnessesOf([ALICE, CAROL], bobForCarol), [ALICE, BOB, CAROL]);
  });

  it("may be undone in a list that doesn't know it yet", () => {
    assert.deepEqual(membersBefore([ALICE, CAROL], bobForCarol), [ALICE, CAROL]);
  });

  it("leaves the same array when it moves nobody", () => {
    const userIds = [ALICE];
    assert.equal(membersAfter(userIds, change({ roleChanged: [{ userId: ALICE }] })), userIds);
  });
});

describe("Rosters", () => {
  let groups: FakeGroups;
  let log: FakeLog;
  let now: number;
  let rosters: Rosters;
  const place = (seq: number) => ({ conversationId: GROUP, seq: BigInt(seq), sequence: seq * 10 });
  const before = async (seq: number) => (await rosters.before(GROUP_ID, place(seq))).userIds;

  beforeEach(() => {
    groups = new FakeGroups();
    log = new FakeLog();
    now = 0;
    rosters = new Rosters({ groups, log, now: () => now, maxIds: 10 });
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB], version: 4n });
  });

  it("asks once and follows the log", async () => {
    const roster = await rosters.before(GROUP_ID, place(5));
    rosters.keep(GROUP_ID, { ...roster, seq: 5n });
    assert.deepEqual(await before(6), [ALICE, BOB]);
    assert.deepEqual(groups.calls, ["members"]);
  });

  it("undoes what the log has yet to tell", async () => {
    // Carol left at 7, Bob came at 8; the list is that of now.
    log.changes.push({ conversationId: GROUP, sequence: 70, change: change({ left: [CAROL], version: 3n }) });
    log.changes.push({ conversationId: GROUP, sequence: 80, change: change({ joined: [BOB], version: 4n }) });
    assert.deepEqual(await before(5), [ALICE, CAROL]);
  });

  it("undoes one who came and left since", async () => {
    groups.lists.set(GROUP_ID, { userIds: [ALICE], version: 6n });
    log.changes.push({ conversationId: GROUP, sequence: 70, change: change({ joined: [BOB], version: 5n }) });
    log.changes.push({ conversationId: GROUP, sequence: 80, change: change({ left: [BOB], version: 6n }) });
    assert.deepEqual(await before(5), [ALICE]);
    assert.deepEqual(await before(8), [ALICE, BOB]);
  });

  it("asks for the version only, when records went elsewhere", async () => {
    rosters.keep(GROUP_ID, await rosters.before(GROUP_ID, place(5)));
    assert.deepEqual(await before(9), [ALICE, BOB]);
    assert.deepEqual(groups.calls, ["members", "version"]);
    groups.lists.set(GROUP_ID, { userIds: [ALICE], version: 5n });
    assert.deepEqual(await before(12), [ALICE]);
    assert.deepEqual(groups.calls, ["members", "version", "version", "members"]);
  });

  it("does not trust the version of a list that it has undone", async () => {
    log.changes.push({ conversationId: GROUP, sequence: 80, change: change({ joined: [BOB], version: 4n }) });
    assert.deepEqual(await before(5), [ALICE]);
    assert.deepEqual(await before(9), [ALICE, BOB]); // 5 to 8 went elsewhere, the list is still version 4
  });

  it("goes back for a record that comes again, and keeps what is newer", async () => {
    rosters.keep(GROUP_ID, { ...(await rosters.before(GROUP_ID, place(9))), seq: 9n });
    log.changes.push({ conversationId: GROUP, sequence: 80, change: change({ joined: [BOB], version: 4n }) });
    assert.deepEqual(await before(5), [ALICE]);
    groups.calls.length = 0;
    assert.deepEqual(await before(10), [ALICE, BOB]);
    assert.deepEqual(groups.calls, []);
  });

  it("asks again after a minute whether the list is still the same", async () => {
    await before(5);
    now = 60_001;
    await before(5);
    await before(5);
    assert.deepEqual(groups.calls, ["members", "version"]);
  });

  it("forgets the groups used least when it holds too many ids", async () => {
    const four = [1, 2, 3, 4].map(id);
    for (const n of [101, 102, 103]) {
      groups.lists.set(id(n), { userIds: four, version: 1n });
      await rosters.before(id(n), place(1));
    }
    assert.equal(rosters.size, 8);
    groups.calls.length = 0;
    await rosters.before(id(103), place(1));
    await rosters.before(id(102), place(1));
    assert.deepEqual(groups.calls, []);
    await rosters.before(id(101), place(1));
    assert.deepEqual(groups.calls, ["members"]);
  });

  it("does not remember a group that is too large by itself", async () => {
    groups.lists.set(GROUP_ID, { userIds: Array.from({ length: 11 }, (_, n) => id(n)), version: 1n });
    await before(5);
    assert.equal(rosters.size, 0);
  });
});
