import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { shared } from "@oceanchat/runtime/fail";
import { directLog } from "../../src/core/log.ts";
import { Permissions } from "../../src/core/permissions.ts";
import { FakeClock, FakePeers, gate, reason, uuid } from "../support/fakes.ts";

const [alice, bob] = [uuid(1), uuid(2)];
const direct = directLog(alice, bob);

function setUp(revision = 7) {
  const peers = new FakePeers();
  peers.revisions = [revision, 1];
  const clock = new FakeClock();
  const limits = { allowMs: 1000, confirmedMs: 60_000, remembered: 100, asking: 100 };
  const permissions = new Permissions(peers, clock, limits);
  const check = () => permissions.check(direct, alice, false, "");
  return { peers, clock, permissions, check };
}

/** Alice has been allowed, and uses it twice, so that it is worth being confirmed. */
async function inUse(revision?: number) {
  const given = setUp(revision);
  await given.check();
  assert.equal(given.check(), undefined);
  return given;
}

describe("confirmed permissions of direct conversations", () => {
  it("count for a second from each asking whether they still hold", async () => {
    const { peers, clock, permissions, check } = await inUse();
    clock.ms += 900;
    peers.turn = async () => {
      clock.ms += 300;
    };
    await permissions.confirm();
    clock.ms += 699;
    assert.equal(check(), undefined);
    clock.ms += 1;
    assert.notEqual(check(), undefined);
    assert.equal(peers.asked.length, 2);
  });

  it("hold again once they are confirmed, however long they weren't used", async () => {
    const { peers, clock, permissions, check } = await inUse();
    clock.ms += 30_000;
    await permissions.confirm();
    assert.equal(check(), undefined);
    assert.equal(peers.asked.length, 1);
  });

  it("are asked for anew after a change", async () => {
    const { peers, clock, permissions, check } = await inUse();
    clock.ms += 900;
    peers.revisions = [8, 1];
    await permissions.confirm();
    clock.ms += 100;
    peers.direct = DirectVerdict.BLOCKED;
    await assert.rejects(async () => check(), reason("BLOCKED"));
  });

  it("aren't confirmed by what was asked before them and says something else", async () => {
    const { peers, clock, permissions, check } = await inUse();
    clock.ms += 500;
    await permissions.confirm();
    clock.ms += 1000;
    peers.revisions = [8, 1];
    await check();
    clock.ms += 1000;
    peers.error = shared.unavailable("away");
    await assert.rejects(async () => check(), reason("UNAVAILABLE"));
  });

  for (const [what, answer] of [
    ["while something may be changing", 7],
    ["when user couldn't say what they depend on", 0],
  ] as const) {
    it(`aren't confirmed ${what}`, async () => {
      const { peers, clock, permissions, check } = await inUse(answer);
      clock.ms += 500;
      check();
      peers.revisions = [0, 1];
      await permissions.confirm();
      clock.ms += 500;
      assert.notEqual(check(), undefined);
    });
  }

  it("count for no longer than they would when user can't be asked whether they hold", async () => {
    const { peers, clock, permissions, check } = await inUse();
    peers.error = shared.unavailable("away");
    await assert.rejects(permissions.confirm(), reason("UNAVAILABLE"));
    clock.ms += 999;
    assert.equal(check(), undefined);
    clock.ms += 1;
    await assert.rejects(async () => check(), reason("UNAVAILABLE"));
  });

  it("are asked for anew after a minute all the same", async () => {
    const { peers, clock, permissions, check } = await inUse();
    for (let at = 0; at < 60_000; at += 400) {
      assert.equal(check(), undefined);
      await permissions.confirm();
      clock.ms += 400;
    }
    assert.notEqual(check(), undefined);
    assert.equal(peers.asked.length, 2);
  });

  it("aren't asked for one by one as long as they are confirmed", async () => {
    const { peers, clock, permissions, check } = await inUse();
    for (let turn = 0; turn < 10; turn++) {
      await permissions.confirm();
      clock.ms += 400;
      assert.equal(check(), undefined);
      permissions.renew(400);
      await tick();
    }
    assert.equal(peers.asked.length, 1);
  });

  it("aren't confirmed unless somebody has used one since", async () => {
    const { peers, permissions } = await inUse();
    await permissions.confirm();
    await permissions.confirm();
    assert.equal(peers.askedForRevisions, 1);
    const nobody = setUp();
    await nobody.permissions.confirm();
    assert.equal(nobody.peers.askedForRevisions, 0);
  });

  it("count as before while the answer is on its way", async () => {
    const { peers, clock, permissions, check } = await inUse();
    const { opened, open } = gate();
    peers.turn = () => opened;
    const asked = permissions.confirm();
    clock.ms += 1000;
    const again = check();
    assert.notEqual(again, undefined);
    open();
    await Promise.all([asked, again]);
  });
});
