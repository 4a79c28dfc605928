import assert from "node:assert/strict";
import { SendVerdict } from "@oceanchat/gen/oceanchat/group/v1/group_mesh_service_pb";
import { ServiceError } from "@oceanchat/runtime/fail";
import { refused } from "@oceanchat/runtime/testing";
import type { GroupCore } from "../../src/core.ts";
import { Crash, dyingPorts } from "../support/crashing.ts";
import { fakeGroups, origin, request, settings } from "../support/fakes.ts";
import { checkAnswers, checkAtRest, ORDERS } from "../support/from-log.ts";

const USERS = ["a", "b", "c", "d", "e"];

/** Changes of a group of a, b, c in which b has come back after leaving. */
const CHANGES: readonly [name: string, change: (core: GroupCore, groupId: string) => Promise<unknown>][] = [
  ["inviting", (core, groupId) => core.invite("b", { groupId, userIds: ["d", "e", "c"] }, origin)],
  ["joining", (core, groupId) => core.join("d", groupId, origin)],
  ["leaving", (core, groupId) => core.leave("b", groupId, origin)],
  ["removing", (core, groupId) => core.remove("a", { groupId, userId: "c" }, origin)],
  ["a new role", (core, groupId) => core.updateMember("a", { groupId, userId: "c", role: "admin" }, origin)],
  ["a new name", (core, groupId) => core.update("a", { groupId, name: "new", mutedAll: true }, origin)],
];

async function given() {
  const fakes = fakeGroups();
  const { core, conversations } = fakes;
  const open = { ...settings, joinPolicy: "open" } as const;
  const { groupId } = await core.create("a", request({ settings: open }), origin);
  await core.leave("b", groupId, origin);
  conversations.say(groupId);
  await core.join("b", groupId, origin);
  conversations.say(groupId);
  return { ...fakes, groupId };
}

/** Lets a process die in an action, once at each of its calls. Answers how often it did. */
async function dieEverywhere(
  prepare: typeof given,
  act: (core: GroupCore, groupId: string) => Promise<unknown>,
  then: (fakes: Awaited<ReturnType<typeof given>>, died: string) => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at++) {
    for (const after of [false, true]) {
      const fakes = await prepare();
      const { ports, isDead } = dyingPorts(fakes.ports, { at, after });
      const died = `${after ? "after" : "before"} call ${at}`;
      try {
        await act(fakes.newCore(ports), fakes.groupId);
      } catch (error) {
        assert.ok(error instanceof Crash || error instanceof ServiceError, String(error));
      }
      if (!isDead()) return at - 1;
      try {
        await then(fakes, died);
      } catch (error) {
        throw new Error(`dead ${died}: ${error instanceof Error ? error.message : error}`, { cause: error });
      }
    }
  }
}

describe("a process that dies in a change", () => {
  for (const [name, change] of CHANGES) {
    it(`of ${name}: another one's sweep finishes it or nothing has happened`, async () => {
      const points = await dieEverywhere(given, change, async (fakes) => {
        const { core, conversations, groupId, store } = fakes;
        const began =
          store.groupsById.get(groupId)?.pending !== undefined || conversations.changes(groupId).length === 4;
        await core.finishUnfinished(10);
        await checkAtRest(fakes, USERS);
        assert.equal(conversations.changes(groupId).length, began ? 4 : 3);
      });
      assert.ok(points >= 6, `${points} calls`);
    });

    it(`of ${name}: every answer is right without waiting for the sweep`, async () => {
      for (let order = 0; order < ORDERS; order++) {
        await dieEverywhere(given, change, (fakes) => checkAnswers(fakes, USERS, order));
      }
    });

    it(`of ${name}: a repeat finishes it, once`, async () => {
      await dieEverywhere(given, change, async (fakes) => {
        const { core, conversations, groupId } = fakes;
        conversations.say(groupId);
        await change(core, groupId);
        await checkAtRest(fakes, USERS);
        assert.equal(conversations.changes(groupId).length, 4);
      });
    });
  }

  it("of creating: the group is there whole, or not at all", async () => {
    const nothing = async () => ({ ...fakeGroups(), groupId: "" });
    const create = (core: GroupCore) => core.create("a", request(), origin);
    await dieEverywhere(nothing, create, async (fakes) => {
      const [groupId] = fakes.store.groupsById.keys();
      if (groupId !== undefined) await checkAnswers({ ...fakes, groupId }, USERS, 1);
      const { core, store } = fakes;
      await core.finishUnfinished(10);
      const group = await create(core);
      assert.equal(store.groupsById.size, 1);
      await checkAtRest({ ...fakes, groupId: group.groupId }, USERS);
    });
  });
});

describe("a process that stands still in a change", () => {
  it("does no harm when it goes on after others have finished it and made more", async () => {
    const fakes = await given();
    const { core, store, ports, groupId, conversations } = fakes;
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const members = new Proxy(store, {
      get(target, name) {
        if (name === "changeMembers") {
          return async (...given: Parameters<typeof store.changeMembers>) => {
            reached.resolve();
            await goOn.promise;
            return store.changeMembers(...given);
          };
        }
        const method: unknown = Reflect.get(target, name, target);
        return typeof method === "function" ? method.bind(target) : method;
      },
    });
    const late = fakes.newCore({ ...ports, members }).remove("a", { groupId, userId: "c" }, origin);
    await reached.promise;
    await core.invite("a", { groupId, userIds: ["c"] }, origin);
    conversations.say(groupId);
    await core.updateMember("a", { groupId, userId: "c", role: "admin" }, origin);
    goOn.resolve();
    await late;
    await checkAtRest(fakes, USERS);
    assert.equal((await store.member(groupId, "c"))?.role, "admin");
  });

  it("lets nobody write whose removal is finished while that is being asked", async () => {
    const fakes = await given();
    const { store, ports, groupId, conversations, core } = fakes;
    conversations.away = true;
    await refused(core.remove("a", { groupId, userId: "c" }, origin), "OUTCOME_UNKNOWN");
    conversations.away = false;
    const groups = new Proxy(store, {
      get(target, name) {
        if (name === "group") {
          return async (id: string) => {
            await core.finishUnfinished(1);
            return target.group(id);
          };
        }
        const method: unknown = Reflect.get(target, name, target);
        return typeof method === "function" ? method.bind(target) : method;
      },
    });
    const { verdict } = await fakes.newCore({ ...ports, groups }).checkSend(groupId, "c", false);
    assert.equal(verdict, SendVerdict.NOT_A_MEMBER);
  });
});
