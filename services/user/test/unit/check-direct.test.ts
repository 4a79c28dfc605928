import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { DirectVerdict } from "@oceanchat/gen/oceanchat/user/v1/user_mesh_service_pb";
import { slotOf } from "../../src/core/slots.ts";
import { createUserCore } from "../../src/core.ts";
import type { ProfileStore, RelationStore, Settings } from "../../src/ports.ts";

interface Given {
  readonly recipient?: Settings["directPolicy"];
  readonly blocked?: boolean;
  readonly friends?: boolean;
}

/** The rules over stores in which everybody is the same; notes whose settings were looked up together. */
function setUp({ recipient, blocked = false, friends = false }: Given, turn: () => Promise<void> = async () => {}) {
  const unused = () => assert.fail("not needed");
  const lookedUp: (readonly string[])[] = [];
  const profiles: ProfileStore = {
    createProfile: unused,
    profiles: unused,
    updateProfile: unused,
    updateSettings: unused,
    settings: unused,
    byUsername: unused,
    byDisplayName: unused,
    settingsOf: async (userIds) => {
      lookedUp.push(userIds);
      await turn();
      if (recipient === undefined) return new Map();
      const settings = { hideLastSeen: false, hideFromSearch: false, presencePolicy: "everyone" } as const;
      return new Map(userIds.map((userId) => [userId, { ...settings, directPolicy: recipient }]));
    },
  };
  const relations: RelationStore = {
    blockedPairs: async (pairs) => new Set(blocked ? pairs : []),
    friendPairs: async (pairs) => new Set(friends ? pairs : []),
    friendsAmong: unused,
  };
  const counts = new Map<number, number>();
  const revisions = { read: async () => ({ counts, open: new Map() }), begin: unused, end: unused };
  const rest = { revisions, watchers: { review: unused }, journal: { changeStaysOpen: unused } };
  return { core: createUserCore({ profiles, relations, ...rest, now: () => 0, steady: () => 0 }), lookedUp, counts };
}

const verdict = async (given: Given, sender = "a") => (await setUp(given).core.checkDirect(sender, "b")).verdict;

describe("CheckDirect", () => {
  it("knows no unknown recipient, also one who blocks", async () => {
    assert.equal(await verdict({}), DirectVerdict.UNKNOWN_RECIPIENT);
    assert.equal(await verdict({ blocked: true }), DirectVerdict.UNKNOWN_RECIPIENT);
  });

  it("lets everybody write to who hears everybody", async () => {
    assert.equal(await verdict({ recipient: "everyone" }), DirectVerdict.ALLOWED);
  });

  it("stops at a block, between friends too", async () => {
    assert.equal(await verdict({ recipient: "everyone", blocked: true }), DirectVerdict.BLOCKED);
    assert.equal(await verdict({ recipient: "friends", blocked: true, friends: true }), DirectVerdict.BLOCKED);
  });

  it("lets friends alone write to who hears friends", async () => {
    assert.equal(await verdict({ recipient: "friends" }), DirectVerdict.NOT_FRIENDS);
    assert.equal(await verdict({ recipient: "friends", friends: true }), DirectVerdict.ALLOWED);
  });

  it("lets everybody write to himself", async () => {
    assert.equal(await verdict({ recipient: "friends" }, "b"), DirectVerdict.ALLOWED);
  });

  it("looks up together what is asked in one turn", async () => {
    const { core, lookedUp } = setUp({ recipient: "everyone" });
    const asked = ["b", "c", "d"].map((recipient) => core.checkDirect("a", recipient));
    const verdicts = (await Promise.all(asked)).map((answer) => answer.verdict);
    assert.deepEqual(verdicts, Array(3).fill(DirectVerdict.ALLOWED));
    assert.deepEqual(lookedUp, [["b", "c", "d"]]);
  });

  it("looks up together what is asked while four look-ups run, and after one of them", async () => {
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    let turn = 0;
    const { core, lookedUp } = setUp({ recipient: "everyone" }, async () => gates[turn++]?.promise);
    const ask = async (recipient: string) => {
      const asked = core.checkDirect("a", recipient);
      await setImmediate();
      return { asked };
    };
    const first = [await ask("b"), await ask("c"), await ask("d"), await ask("e")];
    const later = [await ask("f"), await ask("g")];
    assert.deepEqual(lookedUp, [["b"], ["c"], ["d"], ["e"]]);
    gates[2]?.resolve();
    await Promise.all(later.map(({ asked }) => asked));
    assert.deepEqual(lookedUp.slice(4), [["f", "g"]]);
    for (const { resolve } of gates) resolve();
    await Promise.all(first.map(({ asked }) => asked));
  });

  it("names the revision from before its look-up, so that a change meanwhile isn't missed", async () => {
    const { core, counts } = setUp({ recipient: "everyone" }, async () => {
      counts.set(before.slot, 1);
      await core.directRevisions();
    });
    const before = { slot: slotOf("b"), revision: 1 };
    await core.directRevisions();
    const { verdict: _, ...stamp } = await core.checkDirect("a", "b");
    assert.deepEqual(stamp, before);
    assert.equal((await core.directRevisions())[before.slot], 2);
  });

  it("says that a look-up failed to those alone who waited for it", async () => {
    let turn = 0;
    const { core } = setUp({ recipient: "everyone" }, async () => {
      if (turn++ === 0) throw new Error("away");
    });
    const failed = ["b", "c"].map((recipient) => core.checkDirect("a", recipient));
    for (const result of await Promise.allSettled(failed)) assert.equal(result.status, "rejected");
    assert.equal((await core.checkDirect("a", "b")).verdict, DirectVerdict.ALLOWED);
  });
});
