import assert from "node:assert/strict";
import { createUserCore } from "../../src/core.ts";
import type { ProfileStore, RelationStore, RevisionStore, Settings } from "../../src/ports.ts";

const unused = () => assert.fail("not asked for");
const settings: Settings = {
  directPolicy: "everyone",
  hideLastSeen: false,
  hideFromSearch: false,
  presencePolicy: "everyone",
};

describe("changing settings", () => {
  it("has watchers looked at when it is stored who may see the user, and counts a change of who may write to him", async () => {
    const happened: string[] = [];
    const profiles: ProfileStore = {
      createProfile: unused,
      profiles: unused,
      updateProfile: unused,
      settings: unused,
      settingsOf: unused,
      updateSettings: async (userId, change) => {
        if (userId === "nobody") return undefined;
        happened.push(Object.keys(change).join());
        return { ...settings, ...change };
      },
      byUsername: unused,
      byDisplayName: unused,
    };
    const relations: RelationStore = { blockedPairs: unused, friendPairs: unused, friendsAmong: unused };
    const watchers = { review: async (userId: string) => void happened.push(`review ${userId}`) };
    const revisions: RevisionStore = {
      read: unused,
      begin: async (slots) => {
        happened.push(`begin ${slots.length}`);
        return "change";
      },
      end: async (change) => void happened.push(`end ${change}`),
    };
    const times = { now: () => 0, steady: () => 0 };
    const journal = { changeStaysOpen: unused };
    const core = createUserCore({ profiles, relations, revisions, watchers, journal, ...times });
    await core.updateSettings("ann", { presencePolicy: "nobody" });
    await core.updateSettings("bob", { hideLastSeen: true });
    await core.updateSettings("cid", { directPolicy: "friends", hideFromSearch: true });
    await assert.rejects(core.updateSettings("nobody", { presencePolicy: "nobody" }));
    assert.deepEqual(happened, [
      "presencePolicy",
      "review ann",
      "hideLastSeen",
      "review bob",
      "begin 1",
      "directPolicy,hideFromSearch",
      "end change",
    ]);
  });
});
