import assert from "node:assert/strict";
import { fakeGroups, origin, request, settings } from "../support/fakes.ts";

async function given() {
  const fakes = fakeGroups();
  const { core } = fakes;
  const one = await core.create("a", request({ clientGroupId: "one" }), origin);
  const two = await core.create("b", request({ clientGroupId: "two", memberIds: ["d"] }), origin);
  await core.leave("b", one.groupId, origin); // 2, at 2 s
  return { ...fakes, one: one.groupId, two: two.groupId };
}

type Given = Awaited<ReturnType<typeof given>>;

const users = ["a", "b", "c", "d", "stranger"];
const leftSince = new Date(2_000);

async function apart({ core }: Given, userId: string, since?: Date) {
  const left = since === undefined ? {} : { leftSince: since };
  return (await core.listMemberships({ userId, afterGroupId: "", limit: 0, ...left })).memberships;
}

describe("ListGroupIdsOfUsers", () => {
  it("gives what is given for each user alone", async () => {
    const world = await given();
    const found = await world.core.listMembershipsOfUsers(users.map((userId) => ({ userId })));
    assert.deepEqual(
      found.map(({ userId }) => userId),
      users,
    );
    for (const { userId, memberships } of found) assert.deepEqual(memberships, await apart(world, userId), userId);
    assert.equal(found[0]?.memberships.length, 1);
  });

  it("gives what has ended to those who ask for it, as far back as each asks", async () => {
    const world = await given();
    await world.core.leave("c", world.one, origin);
    const c = world.store.membersById.get(`${world.one}:c`);
    if (c !== undefined) world.store.membersById.set(`${world.one}:c`, { ...c, endTime: new Date(1_000) });
    const asked = [
      { userId: "b", leftSince },
      { userId: "c", leftSince },
      { userId: "d", leftSince: new Date(0) },
    ];
    const [b, c2] = await world.core.listMembershipsOfUsers(asked);
    assert.deepEqual(b?.memberships, await apart(world, "b", leftSince));
    assert.deepEqual(b?.memberships.map(({ toSeq }) => toSeq > 0n).toSorted(), [false, true]);
    assert.deepEqual(c2?.memberships, []);
    const [none] = await world.core.listMembershipsOfUsers([{ userId: "b" }, { userId: "d", leftSince }]);
    assert.equal(none?.memberships.length, 1);
  });

  it("leaves out whom a change under way concerns, and waits for nothing", async () => {
    const world = await given();
    world.conversations.away = true;
    await assert.rejects(world.core.invite("a", { groupId: world.one, userIds: ["d"] }, origin));
    const found = await world.core.listMembershipsOfUsers(users.map((userId) => ({ userId })));
    assert.deepEqual(
      found.map(({ userId }) => userId),
      ["a", "b", "c", "stranger"],
    );
  });

  it("leaves out those of whose groups not all were read", async () => {
    const world = await given();
    const [member] = world.store.membersById.values();
    assert.ok(member);
    for (let n = 0; n < 2_000; n++) {
      world.store.membersById.set(`many ${n}:b`, { ...member, groupId: `many ${n}`, userId: "b" });
    }
    const found = await world.core.listMembershipsOfUsers(users.map((userId) => ({ userId })));
    assert.deepEqual(
      found.map(({ userId }) => userId),
      ["a"],
    );
  });

  it("reads open history as each of them may", async () => {
    const world = await given();
    await world.core.invite("a", { groupId: world.one, userIds: ["e"] }, origin);
    await world.core.update("a", { groupId: world.one, settings: { ...settings, openHistory: true } }, origin);
    const [e] = await world.core.listMembershipsOfUsers([{ userId: "e" }]);
    assert.deepEqual(
      e?.memberships.map(({ fromSeq }) => fromSeq),
      [1n],
    );
  });
});
