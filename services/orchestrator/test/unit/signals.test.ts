import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CurrentMembers } from "../../src/core/current-members.ts";
import { SignalFanOut } from "../../src/core/signals.ts";
import { ALICE, BOB, CAROL, GROUP_ID, id } from "../support/entries.ts";
import { connection, FakeGroups, FakePresence, locatorOver } from "../support/fakes.ts";
import { between, FakeOutlet, inGroup, receipt, typing } from "../support/passing.ts";

const several = (count: number) => Array.from({ length: count }, (_, n) => id(n + 1));

function setUp() {
  const [groups, presence, outlet] = [new FakeGroups(), new FakePresence(), new FakeOutlet()];
  const clock = { ms: 1000 };
  const signals = new SignalFanOut({ groups, locator: locatorOver(presence), outlet, now: () => clock.ms });
  groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB, CAROL], version: 1n });
  presence.connections = [
    connection(ALICE, "gw1"),
    connection(ALICE, "gw2", "laptop"),
    connection(BOB, "gw1"),
    connection(CAROL, "gw1"),
    connection(CAROL, "gw2", "laptop"),
    connection(id(4), "gw1"),
  ];
  return { groups, presence, outlet, clock, signals };
}

/** Until nothing is under way. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

describe("signals", () => {
  it("go to the members' connections, one for each gateway, and to none of whoever causes it", async () => {
    const { signals, outlet } = setUp();
    signals.take(typing(inGroup));
    await settled();
    assert.deepEqual(outlet.lines(), [`gw1 typing ${BOB}`, `gw1 typing ${CAROL}`, `gw2 typing ${CAROL}`]);
    assert.equal(outlet.sent.length, 2);
    assert.equal(outlet.sent[0]?.gatewayAddress, "gw1:1");
    signals.take(receipt(between, BOB));
    await settled();
    assert.deepEqual(outlet.lines().slice(3), [`gw1 receipt ${ALICE}`, `gw2 receipt ${ALICE}`]);
  });

  it("share one look for connections when they come together, and keep their order", async () => {
    const { signals, presence, outlet } = setUp();
    for (let n = 0; n < 30; n++) signals.take(n % 2 === 0 ? typing(between) : receipt(between));
    await settled();
    assert.deepEqual(presence.asked, [1]);
    assert.deepEqual(
      outlet.sent.map(({ signal }) => signal?.kind.case),
      Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? "typing" : "receipt")),
    );
  });

  it("are for small groups: receipts up to 100 members, typing up to 500", async () => {
    const { signals, groups, presence, outlet } = setUp();
    presence.connections = [connection(BOB, "gw1")];
    const told = async (members: number) => {
      groups.lists.set(GROUP_ID, { userIds: several(members), version: BigInt(members) });
      const [{ length: before }, fresh] = [
        outlet.sent,
        new SignalFanOut({ groups, locator: locatorOver(presence), outlet, now: () => 0 }),
      ];
      fresh.take(typing(inGroup));
      fresh.take(receipt(inGroup));
      await settled();
      return outlet.sent.slice(before).map(({ signal }) => signal?.kind.case);
    };
    assert.deepEqual(await told(100), ["typing", "receipt"]);
    assert.deepEqual(await told(101), ["typing"]);
    assert.deepEqual(await told(500), ["typing"]);
    assert.deepEqual(await told(501), []);
    await signals.stop();
  });

  it("don't reach who has left, a second later at the latest", async () => {
    const { signals, groups, outlet, clock } = setUp();
    signals.take(typing(inGroup));
    await settled();
    groups.lists.set(GROUP_ID, { userIds: [ALICE, BOB], version: 2n });
    clock.ms += 1000;
    const { length } = outlet.lines();
    signals.take(typing(inGroup));
    await settled();
    assert.deepEqual(outlet.lines().slice(length), [`gw1 typing ${BOB}`]);
  });

  it("are dropped when too many wait, and when they have waited for too long", async () => {
    const { signals, outlet, clock } = setUp();
    for (let n = 0; n < 1030; n++) signals.take(typing(between));
    await settled();
    assert.equal(outlet.sent.length, 1024);
    assert.deepEqual(signals.losses(), { dropped: 6, failed: 0, error: undefined });
    assert.equal(signals.losses().dropped, 0);
    signals.take(typing(between));
    clock.ms += 2001;
    await settled();
    assert.equal(outlet.sent.length, 1024);
    assert.equal(signals.losses().dropped, 1);
  });

  it("are lost while presence or group can't be asked, and go on afterwards", async () => {
    const { signals, presence, groups, outlet } = setUp();
    presence.down = true;
    signals.take(typing(between));
    signals.take(receipt(inGroup));
    await settled();
    const { failed, error } = signals.losses();
    assert.equal(failed, 2);
    assert.match(String(error), /presence is down/);
    presence.down = false;
    groups.membersUpTo = () => Promise.reject(new Error("group is down"));
    groups.lists.clear();
    signals.take(typing({ kind: "group", groupId: id(8) }));
    signals.take(typing(between));
    await settled();
    assert.equal(signals.losses().failed, 1);
    assert.equal(outlet.sent.length, 1);
  });

  it("of direct conversations don't wait for group", async () => {
    const { signals, groups, outlet } = setUp();
    const { promise, resolve } = Promise.withResolvers<{ userIds: string[]; version: bigint }>();
    groups.membersUpTo = () => promise;
    signals.take(typing(inGroup));
    signals.take(typing(between));
    await settled();
    assert.deepEqual(outlet.lines(), [`gw1 typing ${BOB}`]);
    const stopped = signals.stop();
    resolve({ userIds: [ALICE, CAROL], version: 1n });
    await stopped;
    assert.equal(outlet.sent.length, 3);
  });
});

describe("CurrentMembers", () => {
  const limits = { members: 3, freshMs: 1000, groups: 2, ids: 5 };

  it("asks for the list once and then, once a second, only whether it is still the same", async () => {
    const { groups, clock } = setUp();
    const members = new CurrentMembers({ groups, now: () => clock.ms }, limits);
    for (let n = 0; n < 5; n++) assert.deepEqual(await members.of(GROUP_ID), [ALICE, BOB, CAROL]);
    clock.ms += 1000;
    for (let n = 0; n < 5; n++) await members.of(GROUP_ID);
    assert.deepEqual(groups.calls, ["membersUpTo", "version"]);
    groups.lists.set(GROUP_ID, { userIds: several(4), version: 2n });
    clock.ms += 1000;
    assert.equal(await members.of(GROUP_ID), undefined);
    assert.equal(await members.of(GROUP_ID), undefined);
    assert.deepEqual(groups.calls.slice(2), ["version", "membersUpTo"]);
  });

  it("remembers a bounded number of groups and ids", async () => {
    const { groups } = setUp();
    const members = new CurrentMembers({ groups, now: () => 0 }, limits);
    for (const [n, size] of [3, 3, 2, 1, 3].entries()) {
      groups.lists.set(`g${n}`, { userIds: several(size), version: 1n });
      await members.of(`g${n}`);
      assert.ok(members.size <= 5, `${members.size} ids`);
    }
    groups.calls.length = 0;
    await members.of("g4");
    await members.of("g3");
    assert.deepEqual(groups.calls, []);
    await members.of("g2");
    assert.deepEqual(groups.calls, ["membersUpTo"]);
  });
});
