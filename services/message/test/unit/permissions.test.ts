import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { directLog, groupLog } from "../../src/core/log.ts";
import { Permissions } from "../../src/core/permissions.ts";
import { FakeClock, FakePeers, gate, reason, uuid } from "../support/fakes.ts";

const [alice, bob] = [uuid(1), uuid(2)];
const group = groupLog(uuid(9));
const direct = directLog(alice, bob);

function setUp(limits = { allowMs: 1000, confirmedMs: 60_000, remembered: 100, asking: 100 }) {
  const peers = new FakePeers();
  const clock = new FakeClock();
  return { peers, clock, permissions: new Permissions(peers, clock, limits) };
}

describe("permissions", () => {
  for (const [verdict, name] of [
    [SendVerdict.NOT_A_MEMBER, "NOT_A_MEMBER"],
    [SendVerdict.MUTED, "MUTED"],
    [SendVerdict.ALL_MUTED, "ALL_MUTED"],
    [SendVerdict.MAY_NOT_MENTION_ALL, "MAY_NOT_MENTION_ALL"],
    [SendVerdict.UNSPECIFIED, "INTERNAL"],
  ] as const) {
    it(`say ${name} when group says ${verdict}`, async () => {
      const { peers, permissions } = setUp();
      peers.send = verdict;
      await assert.rejects(async () => permissions.check(group, alice, false, ""), reason(name));
    });
  }

  for (const [verdict, name] of [
    [DirectVerdict.UNKNOWN_RECIPIENT, "USER_NOT_FOUND"],
    [DirectVerdict.BLOCKED, "BLOCKED"],
    [DirectVerdict.NOT_FRIENDS, "NOT_FRIENDS"],
    [DirectVerdict.UNSPECIFIED, "INTERNAL"],
  ] as const) {
    it(`say ${name} when user says ${verdict}`, async () => {
      const { peers, permissions } = setUp();
      peers.direct = verdict;
      await assert.rejects(async () => permissions.check(direct, alice, false, ""), reason(name));
    });
  }

  it("ask user about the other of the two", async () => {
    const { peers, permissions } = setUp();
    await permissions.check(direct, bob, false, "");
    await permissions.check(direct, alice, true, "");
    assert.deepEqual(peers.asked, [`${bob} ${alice}`, `${alice} ${bob}`]);
  });

  it("remember an allow for a second from the moment of asking, and not longer", async () => {
    const { peers, clock, permissions } = setUp();
    peers.turn = async () => {
      clock.ms += 300;
    };
    await permissions.check(group, alice, false, "");
    clock.ms += 699;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    clock.ms += 1;
    assert.notEqual(permissions.check(group, alice, false, ""), undefined);
    assert.equal(peers.asked.length, 2);
  });

  it("are not the same for another user, another group or a mention of all", async () => {
    const { peers, permissions } = setUp();
    await permissions.check(group, alice, false, "");
    await permissions.check(group, bob, false, "");
    await permissions.check(groupLog(uuid(8)), alice, false, "");
    await permissions.check(group, alice, true, "");
    assert.equal(peers.asked.length, 4);
  });

  it("never remember a deny", async () => {
    const { peers, permissions } = setUp();
    peers.send = SendVerdict.NOT_A_MEMBER;
    await assert.rejects(async () => permissions.check(group, alice, false, ""), reason("NOT_A_MEMBER"));
    peers.send = SendVerdict.ALLOWED;
    await permissions.check(group, alice, false, "");
    assert.equal(peers.asked.length, 2);
  });

  it("ask once for all that wait for the same answer", async () => {
    const { peers, permissions } = setUp();
    const { opened, open } = gate();
    peers.turn = () => opened;
    const all = Array.from({ length: 50 }, () => permissions.check(group, alice, false, ""));
    open();
    await Promise.all(all);
    assert.equal(peers.asked.length, 1);
  });

  it("pass on that the owner of the rule can't be asked, and ask again next time", async () => {
    const { peers, permissions } = setUp();
    peers.error = shared.unavailable("away");
    await assert.rejects(async () => permissions.check(group, alice, false, ""), reason("UNAVAILABLE"));
    peers.error = undefined;
    await permissions.check(group, alice, false, "");
  });

  it("forget the oldest beyond their limit", async () => {
    const { peers, permissions } = setUp({ allowMs: 1000, confirmedMs: 60_000, remembered: 4, asking: 100 });
    for (const n of [1, 2, 3, 4]) await permissions.check(group, uuid(n), false, "");
    assert.equal(permissions.check(group, uuid(4), false, ""), undefined);
    assert.equal(permissions.check(group, uuid(3), false, ""), undefined);
    await permissions.check(group, uuid(1), false, "");
    assert.equal(peers.asked.length, 5);
  });

  it("refuse more open questions than their limit", async () => {
    const { peers, permissions } = setUp({ allowMs: 1000, confirmedMs: 60_000, remembered: 10, asking: 2 });
    const { opened, open } = gate();
    peers.turn = () => opened;
    const asked = [1, 2].map((n) => permissions.check(group, uuid(n), false, ""));
    assert.throws(() => permissions.check(group, uuid(3), false, ""), reason("OVERLOADED"));
    open();
    await Promise.all(asked);
    await permissions.check(group, uuid(3), false, "");
  });

  it("ask again what is in use, before its answer counts no longer", async () => {
    const { peers, clock, permissions } = setUp();
    await permissions.check(group, alice, false, "");
    await permissions.check(group, bob, false, "");
    clock.ms += 500;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    permissions.renew(400);
    assert.equal(peers.asked.length, 2);
    clock.ms += 200;
    permissions.renew(400);
    permissions.renew(400);
    await tick();
    assert.equal(peers.asked.length, 3);
    clock.ms += 999;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    assert.notEqual(permissions.check(group, bob, false, ""), undefined);
    assert.equal(peers.asked.length, 4);
  });

  it("count a second from the moment of asking when they were asked again too", async () => {
    const { peers, clock, permissions } = setUp();
    await permissions.check(group, alice, false, "");
    clock.ms += 700;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    permissions.renew(400);
    await tick();
    clock.ms += 1000;
    assert.notEqual(permissions.check(group, alice, false, ""), undefined);
    assert.equal(peers.asked.length, 3);
  });

  it("don't outlast a deny that was heard when they were asked again", async () => {
    const { peers, clock, permissions } = setUp();
    await permissions.check(group, alice, false, "");
    clock.ms += 700;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    peers.send = SendVerdict.NOT_A_MEMBER;
    permissions.renew(400);
    await tick();
    await assert.rejects(async () => permissions.check(group, alice, false, ""), reason("NOT_A_MEMBER"));
  });

  it("stay as they are when their owner can't be asked again", async () => {
    const { peers, clock, permissions } = setUp();
    await permissions.check(group, alice, false, "");
    clock.ms += 700;
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    peers.error = shared.unavailable("away");
    permissions.renew(400);
    await tick();
    assert.equal(permissions.check(group, alice, false, ""), undefined);
    clock.ms += 300;
    await assert.rejects(async () => permissions.check(group, alice, false, ""), reason("UNAVAILABLE"));
  });
});
